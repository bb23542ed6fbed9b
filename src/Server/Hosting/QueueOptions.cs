using System.ComponentModel.DataAnnotations;

namespace Serving.Server.Hosting;

/// <summary>The section <c>Serving:Queue</c>: what may wait at each model; more is refused with 429.</summary>
internal sealed class QueueOptions
{
    /// <summary>Answers that wait. 1 to 100000; default 256.</summary>
    [Range(1, 100_000)]
    public int MaxRequests { get; set; } = 256;

    /// <summary>Tokens of prompts that wait. 1 to 100 million; default 262144.</summary>
    [Range(1, 100_000_000)]
    public int MaxTokens { get; set; } = 262_144;
}

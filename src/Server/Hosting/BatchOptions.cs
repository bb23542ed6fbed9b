using System.ComponentModel.DataAnnotations;

namespace Serving.Server.Hosting;

/// <summary>The section <c>Serving:Batch</c>: what each model computes together.</summary>
internal sealed class BatchOptions
{
    /// <summary>Answers that are generated at once. 1 to 4096; default 64.</summary>
    [Range(1, 4096)]
    public int MaxRunning { get; set; } = 64;

    /// <summary>Tokens in one forward pass. 1 to 65536; default 512.</summary>
    [Range(1, 65_536)]
    public int MaxTokens { get; set; } = 512;

    /// <summary>Tokens whose keys and values each model has room for; 0 = eight full contexts, but no more than 65536
    /// tokens if that is enough for one. 0 to 16777216; default 0.</summary>
    [Range(0, 1 << 24)]
    public int KvTokens { get; set; }

    /// <summary>Whether prompts with a common beginning share its keys and values. Default true.</summary>
    public bool ReusePrefixes { get; set; } = true;
}

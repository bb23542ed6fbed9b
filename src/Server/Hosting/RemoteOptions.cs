using System.ComponentModel.DataAnnotations;

namespace Serving.Server.Hosting;

/// <summary>The section <c>Serving:Remote</c>: models that other servers compute, and how long this one waits for them.</summary>
internal sealed class RemoteOptions
{
    /// <summary>As <c>glyph-en=http://host:8081,glyph-ru=http://a:8081|http://b:8081</c>. A name that has several addresses stands for
    /// as many replicas. This server needs the models' folders too, but reads no weights. Null = none.</summary>
    public string? Models { get; set; }

    /// <summary>How logits travel: f32 (the same bits as in one process), f16, or top-N. Default f32.</summary>
    public string Logits { get; set; } = "f32";

    /// <summary>After how long a step is tried at a second replica as well. 1 to 600000; default 2000.</summary>
    [Range(1, 600_000)]
    public int HedgeMilliseconds { get; set; } = 2000;

    /// <summary>How long one attempt at one replica may take. 10 to 600000; default 10000.</summary>
    [Range(10, 600_000)]
    public int AttemptMilliseconds { get; set; } = 10_000;

    /// <summary>How long a step may take with all attempts. 10 to 600000; default 30000.</summary>
    [Range(10, 600_000)]
    public int TotalMilliseconds { get; set; } = 30_000;
}

using System.ComponentModel.DataAnnotations;

namespace Serving.Server.Hosting;

/// <summary>The section <c>Serving:Memory</c>: when new requests are refused with 503 for lack of memory.</summary>
internal sealed class MemoryOptions
{
    /// <summary>The limit in MiB. 0 to 16777216; default 0 = that of the control group, else the machine's memory.</summary>
    [Range(0, 16_777_216)]
    public int LimitMiB { get; set; }

    /// <summary>The share of the limit from which on requests are refused. 1 to 100; default 92.</summary>
    [Range(1, 100)]
    public int RefusePercent { get; set; } = 92;

    /// <summary>The share below which they are taken again; no more than <see cref="RefusePercent"/> is of use. 1 to 100; default 85.</summary>
    [Range(1, 100)]
    public int ResumePercent { get; set; } = 85;
}

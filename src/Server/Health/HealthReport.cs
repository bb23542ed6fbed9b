using System.ComponentModel;
using System.Text.Json.Serialization;

namespace Serving.Server.Health;

/// <summary>What a probe is told.</summary>
/// <param name="Status">In a few words: live, ready, started, or why not.</param>
/// <param name="Models">The state of each model: loading, ready, failed, unloaded.</param>
internal sealed record HealthReport(string Status, IReadOnlyDictionary<string, string> Models)
{
    [Description("At /health/startup: how much of the loading is done, 0 to 100.")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Percent { get; init; }

    [Description("At /health/startup: the phase of each model that is being loaded: read, pack or start.")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyDictionary<string, string>? Phases { get; init; }
}

namespace Serving.Server.Health;

/// <summary>What a probe is told.</summary>
/// <param name="Status">One word: live, ready, started, or why not.</param>
/// <param name="Models">The state of each model: loading, ready, failed.</param>
internal sealed record HealthReport(string Status, IReadOnlyDictionary<string, string> Models);

using Serving.Testing;

namespace Serving.EndToEnd.Faults;

[Collection(FaultSeries.Name)]
public sealed class ClockTests : IDisposable
{
    private static readonly string[] Libraries =
        ["/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1"];

    private readonly CheckpointCopies _copies = new();

    public ClockTests() => _copies.Add("plain", "plain");

    public void Dispose() => _copies.Dispose();

    [Fact]
    public async Task R35_ClockJumpsAnHourBackAndForth_NothingFailsAndNoTimeIsNegative()
    {
        string? library = Libraries.FirstOrDefault(File.Exists);
        Assert.SkipWhen(library is null, "faketime is not installed");
        string clock = Path.Combine(_copies.Path, "clock");
        await File.WriteAllTextAsync(clock, "+0");
        await using ServerProcess server = await ServerProcess.StartInAsync(_copies.Path, [], new Dictionary<string, string>
        {
            ["LD_PRELOAD"] = library,
            ["FAKETIME_TIMESTAMP_FILE"] = clock,
            ["FAKETIME_NO_CACHE"] = "1",
            ["FAKETIME_DONT_FAKE_MONOTONIC"] = "1",
        });
        using var load = new Load(server.Client.BaseAddress!);
        int failed = 0;
        foreach (string jump in (string[])["+0", "-1h", "+1h", "-1h", "+0"])
        {
            await File.WriteAllTextAsync(clock, jump);
            IReadOnlyList<Load.Outcome> outcomes = await load.RunAsync(FaultScale.Of(200, 50), 8, i => Load.Body("plain", 20, stream: i % 2 == 0));
            failed += outcomes.Count(outcome => !outcome.IsWhole);
        }
        long created = System.Text.Json.JsonDocument.Parse((await load.SendAsync(Load.Body("plain", 1))).Text).RootElement.GetProperty("created").GetInt64();
        Assert.True(created > 0);
        string metrics = await server.Client.GetStringAsync("/metrics");
        FaultScale.Record("R35", $"wall clock jumped by an hour four times: {failed} requests failed, no negative duration");
        Assert.Equal(0, failed);
        Assert.DoesNotContain(metrics.Split('\n'), line => line.Contains("_seconds_sum", StringComparison.Ordinal) && line.Contains(" -", StringComparison.Ordinal));
        Assert.True((await server.Client.GetAsync("/health/ready")).IsSuccessStatusCode);
    }
}

using System.Diagnostics;
using System.Net;
using Serving.Testing;

namespace Serving.EndToEnd.Faults;

[Collection(FaultSeries.Name)]
public sealed class ReplicaTests
{
    private const string NoNginx = "nginx is not installed";

    [Fact]
    public async Task R01_ReplicaKilled_NoRequestFails()
    {
        Assert.SkipUnless(Cluster.IsPossible, NoNginx);
        await using Cluster cluster = await Cluster.StartAsync();
        using var load = new Load(cluster.Url);
        Task<IReadOnlyList<Load.Outcome>> running = load.RunAsync(1200, 32, _ => Load.Body("plain", 40));
        await ServerProcess.UntilAsync(() => Task.FromResult(load.Done >= 300));
        await cluster.KillAsync(1);
        IReadOnlyList<Load.Outcome> outcomes = await running;
        FaultScale.Record("R01", $"{outcomes.Count(outcome => !outcome.IsWhole)} of {outcomes.Count} requests failed");
        Assert.All(outcomes, outcome => Assert.True(outcome.IsWhole, $"{outcome}"));
        Assert.Single(outcomes.Select(outcome => outcome.Answer()).Distinct());
    }

    [Fact]
    public async Task R01_ReplicaKilledAndNobodyRetries_OnlyItsOwnRequestsFail()
    {
        Assert.SkipUnless(Cluster.IsPossible, NoNginx);
        await using Cluster cluster = await Cluster.StartAsync(retriesPosts: false);
        using var load = new Load(cluster.Url);
        Task<IReadOnlyList<Load.Outcome>> running = load.RunAsync(600, 32, _ => Load.Body("plain", 40));
        await ServerProcess.UntilAsync(() => Task.FromResult(load.Done >= 200));
        await cluster.KillAsync(0);
        IReadOnlyList<Load.Outcome> outcomes = await running;
        Load.Outcome[] failed = [.. outcomes.Where(outcome => !outcome.IsWhole)];
        FaultScale.Record("R01", $"without retries of POST: {failed.Length} of {outcomes.Count} requests failed, 32 at a time over 3 replicas");
        Assert.True(failed.Length <= 32);
        Assert.All(failed, outcome => Assert.Equal(HttpStatusCode.BadGateway, outcome.Status));
    }

    [Fact]
    public async Task R02_ReplicaKilledWhileStreaming_BrokenStreamsNeverLookWhole()
    {
        Assert.SkipUnless(Cluster.IsPossible, NoNginx);
        await using Cluster cluster = await Cluster.StartAsync();
        using var load = new Load(cluster.Url);
        Task<IReadOnlyList<Load.Outcome>> running = load.RunAsync(60, 12, _ => Load.Body("endless", 600, stream: true));
        await ServerProcess.UntilAsync(() => Task.FromResult(load.Done >= 10));
        await cluster.KillAsync(2);
        IReadOnlyList<Load.Outcome> outcomes = await running;
        Load.Outcome[] broken = [.. outcomes.Where(outcome => !outcome.IsWhole)];
        FaultScale.Record("R02", $"{broken.Length} of 60 streams broken, none of them with an end");
        Assert.True(broken.Length <= 12);
        Assert.All(broken, outcome => Assert.DoesNotContain("[DONE]", outcome.Text));
        IReadOnlyList<Load.Outcome> after = await load.RunAsync(20, 12, _ => Load.Body("endless", 100, stream: true));
        Assert.All(after, outcome => Assert.True(outcome.IsWhole, $"{outcome}"));
    }

    [Fact]
    public async Task R04_RollingRestart_NoRequestFails()
    {
        Assert.SkipUnless(Cluster.IsPossible, NoNginx);
        await using Cluster cluster = await Cluster.StartAsync();
        using var load = new Load(cluster.Url);
        using var over = new CancellationTokenSource();
        Task<IReadOnlyList<Load.Outcome>[]> running = Task.WhenAll(Enumerable.Range(0, 16).Select(_ => RepeatAsync(load, over.Token)));
        int[] exitCodes = [await cluster.RestartAsync(0), await cluster.RestartAsync(1), await cluster.RestartAsync(2)];
        await over.CancelAsync();
        Load.Outcome[] outcomes = [.. (await running).SelectMany(each => each)];
        FaultScale.Record("R04", $"{outcomes.Count(outcome => !outcome.IsWhole)} of {outcomes.Length} requests failed while all 3 replicas restarted");
        Assert.All(outcomes, outcome => Assert.True(outcome.IsWhole, $"{outcome}"));
        Assert.Equal([0, 0, 0], exitCodes);
    }

    [Fact]
    public async Task R06_KilledAndRestarted_IsReadyAgainAndLeavesNothingBehind()
    {
        using var copies = new CheckpointCopies();
        copies.Add("plain", "plain");
        string[] before = Directory.GetFileSystemEntries(copies.Path, "*", SearchOption.AllDirectories);
        var starts = new List<double>();
        for (int cycle = 0; cycle <= FaultScale.Of(5, 2); cycle++)
        {
            long start = Stopwatch.GetTimestamp();
            await using ServerProcess server = await ServerProcess.StartAsync(copies.Path);
            starts.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
            Assert.True((await server.Client.SendAsync(Load.Post(Load.Body("plain", 5)))).IsSuccessStatusCode);
            await server.SignalAsync("KILL");
            await server.WaitForExitAsync();
        }
        FaultScale.Record("R06", $"first start ready after {starts[0]:0.00} s; after {starts.Count - 1} kills again within {starts.Skip(1).Min():0.00} to {starts.Skip(1).Max():0.00} s; no file left behind");
        Assert.Equal(before, Directory.GetFileSystemEntries(copies.Path, "*", SearchOption.AllDirectories));
    }

    private static async Task<IReadOnlyList<Load.Outcome>> RepeatAsync(Load load, CancellationToken over)
    {
        var outcomes = new List<Load.Outcome>();
        while (!over.IsCancellationRequested)
            outcomes.Add(await load.SendAsync(Load.Body("plain", 20), CancellationToken.None));
        return outcomes;
    }
}

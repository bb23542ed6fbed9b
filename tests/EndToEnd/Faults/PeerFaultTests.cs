using System.Globalization;
using Serving.Testing;

namespace Serving.EndToEnd.Faults;

[Collection(FaultSeries.Name)]
public sealed class PeerFaultTests : IDisposable
{
    private readonly CheckpointCopies _copies = new();

    public PeerFaultTests()
    {
        _copies.Add("plain", "plain");
        _copies.Add("interleaved", "other");
    }

    public void Dispose() => _copies.Dispose();

    [Fact]
    public async Task R34_PeersThatBreakStallAndVanish_NearlyAllSucceedAndNoneIsAveragedWithoutOne()
    {
        await using ServerProcess one = await ServerProcess.StartAsync(_copies.Path, "--Serving:Peers:Urls=http://127.0.0.1:0");
        await using ServerProcess two = await ServerProcess.StartAsync(_copies.Path, "--Serving:Peers:Urls=http://127.0.0.1:0");
        using FaultyProxy wireOne = new(PortOf(one), 1), wireTwo = new(PortOf(two), 2), wireThree = new(PortOf(two), 3);
        await using ServerProcess front = await ServerProcess.StartAsync(_copies.Path,
            $"--Serving:Remote:Models=other={wireOne.Address}|{wireTwo.Address}|{wireThree.Address}",
            "--Serving:Remote:HedgeMilliseconds=200", "--Serving:Remote:AttemptMilliseconds=1000", "--Serving:Remote:TotalMilliseconds=4000");
        using var load = new Load(front.Client.BaseAddress!);
        string expected = (await load.SendAsync(Load.Body("plain+other", 20))).Answer();
        foreach (FaultyProxy wire in (FaultyProxy[])[wireOne, wireTwo])
            (wire.Breaks, wire.Stalls) = (0.005, 0.002);
        wireThree.IsBlack = true;

        int requests = FaultScale.Of(500, 80);
        IReadOnlyList<Load.Outcome> outcomes = await load.RunAsync(requests, 8, _ => Load.Body("plain+other", 20));
        int whole = outcomes.Count(outcome => outcome.IsWhole);
        string metrics = await front.Client.GetStringAsync("/metrics");
        double steps = Vitals.Sum(metrics, "serving_peer_step_duration_seconds_count"), attempts = Vitals.Sum(metrics, "serving_peer_attempts_total");
        FaultScale.Record("R34", $"{whole} of {requests} succeeded, {attempts / steps:0.00} attempts a step, {Vitals.Sum(metrics, "serving_peer_replayed_tokens_total"):0} tokens replayed, 0 wrong answers");
        Assert.All(outcomes.Where(outcome => outcome.IsWhole), outcome => Assert.Equal(expected, outcome.Answer()));
        Assert.All(outcomes.Where(outcome => !outcome.IsWhole), outcome => Assert.Contains("member_unavailable", outcome.Text));
        Assert.True(whole >= requests * 99 / 100, $"{whole} of {requests}: {outcomes.FirstOrDefault(outcome => !outcome.IsWhole)?.Text}");
        Assert.True(attempts <= 1.25 * steps, $"{attempts} attempts for {steps} steps");
    }

    [Fact]
    public async Task R34_ReplicaStalls_AnotherOvertakesItWithTheSameAnswer()
    {
        await using ServerProcess one = await ServerProcess.StartAsync(_copies.Path, "--Serving:Peers:Urls=http://127.0.0.1:0");
        await using ServerProcess two = await ServerProcess.StartAsync(_copies.Path, "--Serving:Peers:Urls=http://127.0.0.1:0");
        using FaultyProxy wireOne = new(PortOf(one), 5), wireTwo = new(PortOf(two), 6);
        await using ServerProcess front = await ServerProcess.StartAsync(_copies.Path,
            $"--Serving:Remote:Models=other={wireOne.Address}|{wireTwo.Address}", "--Serving:Remote:HedgeMilliseconds=100");
        using var load = new Load(front.Client.BaseAddress!);
        string expected = (await load.SendAsync(Load.Body("plain+other", 30))).Answer();
        wireOne.Stalls = 1;
        Load.Outcome overtaken = await load.SendAsync(Load.Body("plain+other", 30));
        string metrics = await front.Client.GetStringAsync("/metrics");
        FaultScale.Record("R34", $"the replica that answered last stalls by 2 s a step: another one overtakes it, the same answer after {overtaken.Seconds:0.00} s");
        Assert.Equal(expected, overtaken.Answer());
        Assert.True(Vitals.Sum(metrics, "serving_peer_attempts_total", "outcome=\"overtaken\"") >= 1);
    }

    [Fact]
    public async Task R34_PeerComesBack_ItsCircuitOpensAndCloses()
    {
        await using ServerProcess peer = await ServerProcess.StartAsync(_copies.Path, "--Serving:Peers:Urls=http://127.0.0.1:0");
        using FaultyProxy wire = new(PortOf(peer), 4);
        await using ServerProcess front = await ServerProcess.StartAsync(_copies.Path, $"--Serving:Remote:Models=other={wire.Address}",
            "--Serving:Remote:HedgeMilliseconds=100", "--Serving:Remote:AttemptMilliseconds=300", "--Serving:Remote:TotalMilliseconds=1000");
        using var load = new Load(front.Client.BaseAddress!);
        wire.Breaks = 1;
        await ServerProcess.UntilAsync(async () =>
        {
            await load.SendAsync(Load.Body("other", 2));
            return Vitals.Sum(await front.Client.GetStringAsync("/metrics"), "serving_peer_replicas", "state=\"open\"") == 1;
        });
        wire.Breaks = 0;
        await ServerProcess.UntilAsync(async () => (await load.SendAsync(Load.Body("other", 2))).IsWhole);
        Assert.Equal(1, Vitals.Sum(await front.Client.GetStringAsync("/metrics"), "serving_peer_replicas", "state=\"closed\""));
        FaultScale.Record("R34", $"the circuit of a broken peer opens, and closes when it is back");
    }

    private static int PortOf(ServerProcess server) => int.Parse(server.PeerUrl!.Split(':')[^1], CultureInfo.InvariantCulture);
}

using System.Diagnostics;
using System.Net;
using Serving.Testing;

namespace Serving.EndToEnd.Faults;

[Collection(FaultSeries.Name)]
public sealed class ResourceTests : IDisposable
{
    private const int LimitMiB = 208;

    private static readonly Dictionary<string, string> Nothing = [];

    private readonly CheckpointCopies _copies = new();

    public ResourceTests()
    {
        _copies.Add("plain", "plain");
        _copies.AddEndless("endless");
    }

    public void Dispose() => _copies.Dispose();

    [Fact]
    public async Task R24_FilesCutShortAndReplacedWhileServing_TheOldVersionAnswersUntilTheNewOneCan()
    {
        await using ServerProcess server = await ServerProcess.StartAsync(_copies.Path);
        string weights = Path.Combine(_copies.Path, "plain", "model.safetensors");
        byte[] good = await File.ReadAllBytesAsync(weights);
        using var load = new Load(server.Client.BaseAddress!);
        string before = (await load.SendAsync(Load.Body("plain", 20))).Answer();
        int cycles = FaultScale.Of(20, 4);
        for (int cycle = 0; cycle < cycles; cycle++)
        {
            await using (FileStream file = File.OpenWrite(weights))
                file.SetLength(good.Length / (cycle + 2));
            Task<IReadOnlyList<Load.Outcome>> answers = load.RunAsync(20, 4, _ => Load.Body("plain", 20));
            using HttpResponseMessage refused = await server.Client.PostAsync("/v1/models/plain/load", null);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
            Assert.All(await answers, outcome => Assert.Equal(before, outcome.Answer()));
            await File.WriteAllBytesAsync(weights, good);
            using HttpResponseMessage loaded = await server.Client.PostAsync("/v1/models/plain/load", null);
            Assert.Equal(HttpStatusCode.OK, loaded.StatusCode);
            Assert.Equal(before, (await load.SendAsync(Load.Body("plain", 20))).Answer());
        }
        FaultScale.Record("R24", $"{cycles} cycles of truncation and replacement: {cycles * 22} answers as before");
    }

    [Fact]
    public async Task R25_LogOnAFullDisk_ServesOn()
    {
        // The address is read from the log, so it has to be known before.
        Uri url = FreeAddress.Next();
        using Process server = Process.Start(new ProcessStartInfo("sh", ["-c", $"exec {string.Join(' ', Command(url))} >/dev/full 2>/dev/full"]))!;
        using var load = new Load(url);
        await ServerProcess.UntilAsync(async () => (await load.SendAsync(Load.Body("plain", 3))).IsWhole);
        Assert.All(await load.RunAsync(50, 4, _ => Load.Body("plain", 5)), outcome => Assert.True(outcome.IsWhole));
        await ServerProcess.SignalAsync(server, "TERM");
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        await server.WaitForExitAsync(patience.Token);
        Assert.Equal(0, server.ExitCode);
        FaultScale.Record("R25", $"standard output on a full disk: 50 of 50 answered, exit 0");
    }

    [Fact]
    public async Task R27_ModelThatDoesNotFit_IsRefusedInWordsBeforeItIsRead()
    {
        await using ServerProcess server = ServerProcess.Launch(
            "serve", "--models", Path.Combine(TestData.RepositoryRoot, "models"), "--urls", "http://127.0.0.1:0", "--Serving:Memory:LimitMiB=16");
        Assert.Equal(3, await server.WaitForExitAsync());
        Assert.Contains(server.Log, line => line.Contains("of weights, ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task R27_LoadNearTheMemoryLimit_IsRefusedBeforeTheKernelKills()
    {
        using var group = MemoryGroup.TryCreate(LimitMiB);
        Assert.SkipWhen(group is null, "a memory control group cannot be made here");
        await using ServerProcess server = await ServerProcess.StartInAsync(_copies.Path, group.Prefix, Nothing, "--Serving:Memory:RefusePercent=88");
        Assert.Equal(LimitMiB, Vitals.Sum(await server.Client.GetStringAsync("/metrics"), "serving_memory_limit_bytes") / (1 << 20));
        using var load = new Load(server.Client.BaseAddress!);
        int requests = FaultScale.Of(500, 120);
        IReadOnlyList<Load.Outcome> outcomes = await load.RunAsync(requests, 16, _ => Load.Body("endless", 3000, stream: true));
        int whole = outcomes.Count(outcome => outcome.IsWhole), refused = outcomes.Count(outcome => outcome.Status == HttpStatusCode.ServiceUnavailable);
        FaultScale.Record("R27", $"limit {LimitMiB} MiB: {whole} of {requests} answered, {refused} refused with 503, 0 killed");
        Assert.Equal(requests, whole + refused);
        Assert.All(outcomes.Where(outcome => !outcome.IsWhole), outcome => Assert.Contains("memory_pressure", outcome.Text));
        Assert.Equal(HttpStatusCode.OK, (await server.Client.GetAsync("/health/live")).StatusCode);
        await ServerProcess.UntilAsync(async () => (await load.SendAsync(Load.Body("plain", 5))).IsWhole);
    }

    [Fact]
    public async Task R29_AllCoresBusy_ProbesAndScrapesAreAnswered()
    {
        await using ServerProcess server = await ServerProcess.StartAsync(_copies.Path);
        using var load = new Load(server.Client.BaseAddress!);
        Task<IReadOnlyList<Load.Outcome>> streams = load.RunAsync(32, 32, _ => Load.Body("endless", FaultScale.Of(12_000, 1500), stream: true));
        (List<double> probes, List<double> scrapes) = ([], []);
        while (!streams.IsCompleted)
        {
            probes.Add(await MillisecondsAsync("/health/live"));
            scrapes.Add(await MillisecondsAsync("/metrics"));
        }
        Assert.All(await streams, outcome => Assert.True(outcome.IsWhole));
        FaultScale.Record("R29", $"beside 32 streams: /health/live median {FaultScale.Percentile(probes, 50):0.0} ms, 99th percentile {FaultScale.Percentile(probes, 99):0.0} ms; /metrics {FaultScale.Percentile(scrapes, 50):0.0} ms, {FaultScale.Percentile(scrapes, 99):0.0} ms; {probes.Count} of each");

        async Task<double> MillisecondsAsync(string path)
        {
            long start = Stopwatch.GetTimestamp();
            using HttpResponseMessage answer = await server.Client.GetAsync(path);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        }
    }

    [Fact]
    public async Task R30_FarMoreRequestsThanItCanServe_RefusesTheRestAndFailsNone()
    {
        await using ServerProcess server = await ServerProcess.StartAsync(_copies.Path, "--Serving:Batch:MaxRunning=2", "--Serving:Queue:MaxRequests=8");
        Vitals vitals = await Vitals.OfAsync(server);
        using var load = new Load(server.Client.BaseAddress!);
        await load.RunAsync(100, 8, _ => Long());
        long start = Stopwatch.GetTimestamp();
        int tries = FaultScale.Of(1000, 100);
        Assert.All(await load.RunAsync(tries, 8, _ => Long()), outcome => Assert.True(outcome.IsWhole));
        double capacity = tries / Stopwatch.GetElapsedTime(start).TotalSeconds;

        int requests = (int)(10 * capacity * FaultScale.Of(20, 2));
        start = Stopwatch.GetTimestamp();
        var running = new List<Task<Load.Outcome>>();
        for (int i = 0; i < requests; i++)
        {
            if (TimeSpan.FromSeconds(i / (10 * capacity)) - Stopwatch.GetElapsedTime(start) is { Ticks: > 10_000 } early)
                await Task.Delay(early);
            running.Add(load.SendAsync(Long()));
        }
        Load.Outcome[] outcomes = await Task.WhenAll(running);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        double recovery = (await load.SendAsync(Load.Body("plain", 5))).Seconds;
        Load.Outcome[] refused = [.. outcomes.Where(outcome => outcome.Status == HttpStatusCode.TooManyRequests)];
        int answered = outcomes.Count(outcome => outcome.IsWhole);
        FaultScale.Record("R30", $"ten times the {capacity:0} requests a second that it can serve: {answered} of {requests} answered, {answered / seconds / capacity:0%} of capacity; {refused.Length} refused with 429, median {1000 * FaultScale.Percentile(refused.Select(each => each.Seconds), 50):0.0} ms, 99th percentile {1000 * FaultScale.Percentile(refused.Select(each => each.Seconds), 99):0.0} ms; 0 failed; the next one answered after {1000 * recovery:0} ms");
        Assert.Equal(requests, refused.Length + answered);
        Assert.NotEmpty(refused);
        Assert.All(refused, outcome => Assert.InRange(int.Parse(outcome.RetryAfter!, System.Globalization.CultureInfo.InvariantCulture), 1, 120));
        await vitals.CheckAsync();

        static string Long() => Load.Body("endless", 400);
    }

    [Fact]
    public async Task R32_TwentyReloadsUnderLoad_FailNothing()
    {
        await using ServerProcess server = await ServerProcess.StartAsync(_copies.Path);
        Vitals vitals = await Vitals.OfAsync(server);
        using var load = new Load(server.Client.BaseAddress!);
        Task<IReadOnlyList<Load.Outcome>> running = load.RunAsync(1000, 16, _ => Load.Body("plain", 40));
        for (int cycle = 0; cycle < 20; cycle++)
            (await server.Client.PostAsync("/v1/models/plain/load", null)).EnsureSuccessStatusCode();
        IReadOnlyList<Load.Outcome> outcomes = await running;
        FaultScale.Record("R32", $"{outcomes.Count(outcome => !outcome.IsWhole)} of 1000 requests failed by 20 reloads");
        Assert.All(outcomes, outcome => Assert.True(outcome.IsWhole, $"{outcome}"));
        Assert.Single(outcomes.Select(outcome => outcome.Answer()).Distinct());
        await vitals.CheckAsync();
    }

    private IEnumerable<string> Command(Uri url)
    {
        ProcessStartInfo start = ServerProcess.StartInfo("serve", "--models", _copies.Path, "--urls", url.GetLeftPart(UriPartial.Authority));
        return [start.FileName, .. start.ArgumentList];
    }
}

using System.Diagnostics;
using System.Globalization;
using Serving.Testing;

namespace Serving.EndToEnd.Faults;

/// <summary>Hours of everyday use, or what of them there is time for: <c>SERVING_SOAK_MINUTES</c>, 30 by default, after a third of that
/// to warm up.</summary>
[Collection(FaultSeries.Name)]
public sealed class SoakTests : IDisposable
{
    private const int RequestsPerSecond = 100;
    private const int ThreadsToAndFro = 8;
    private const int FilesToAndFro = 32;

    private readonly CheckpointCopies _copies = new();
    private int _requests;
    private int _failed;

    public SoakTests()
    {
        _copies.Add("plain", "plain");
        _copies.Add("interleaved", "other");
        _copies.AddEndless("endless");
    }

    public void Dispose() => _copies.Dispose();

    [Fact]
    public async Task R44_Soak_MemoryFilesAndThreadsStayFlat()
    {
        Assert.SkipUnless(FaultScale.IsFull, "only with SERVING_FAULTS=full");
        int minutes = int.Parse(Environment.GetEnvironmentVariable("SERVING_SOAK_MINUTES") ?? "30", CultureInfo.InvariantCulture);
        await using ServerProcess server = await ServerProcess.StartAsync(_copies.Path);
        using var load = new Load(server.Client.BaseAddress!);
        for (int minute = 0; minute < (minutes + 2) / 3; minute++)
            await MinuteAsync(load);
        (int requests, int files, int threads) = (_requests, server.OpenFiles, server.Threads);
        var memory = new List<double>();
        for (int minute = 0; minute <= minutes; minute++)
        {
            memory.Add(await Vitals.ResidentMiBAsync(server));
            if (minute < minutes)
                await MinuteAsync(load);
        }
        (int moreFiles, int moreThreads) = (server.OpenFiles - files, server.Threads - threads);
        FaultScale.Record("R44", $"{minutes} min of {RequestsPerSecond} mixed requests a second after a third of that, {_requests - requests} in all: {_failed} failed; resident memory {memory[0]:0} MiB, then {memory.Min():0} to {memory.Max():0}, in the end {memory[^1]:0}: {Slope(memory):+0.00;-0.00} MiB a minute; files {moreFiles:+0;-0;0}, threads {moreThreads:+0;-0;0}");
        Assert.Equal(0, _failed);
        Assert.True(Slope(memory) <= 1, $"{Slope(memory)} MiB a minute: {string.Join(' ', memory)}");
        Assert.InRange(moreFiles, -FilesToAndFro, FilesToAndFro);
        Assert.InRange(moreThreads, -ThreadsToAndFro, ThreadsToAndFro);
    }

    private async Task MinuteAsync(Load load)
    {
        long start = Stopwatch.GetTimestamp();
        var running = new List<Task>();
        for (int i = 0; i < 60 * RequestsPerSecond; i++)
        {
            if (TimeSpan.FromSeconds((double)i / RequestsPerSecond) - Stopwatch.GetElapsedTime(start) is { Ticks: > 0 } early)
                await Task.Delay(early);
            running.Add(OneAsync(load, i));
        }
        await load.Client.GetStringAsync("/metrics");
        await Task.WhenAll(running);
    }

    private async Task OneAsync(Load load, int i)
    {
        Interlocked.Increment(ref _requests);
        using var leaving = new CancellationTokenSource();
        bool leaves = i % 10 == 7, isWrong = i % 10 == 8;
        if (leaves)
            leaving.CancelAfter(i % 50);
        Load.Outcome outcome = await load.SendAsync((i % 10) switch
        {
            < 4 => Load.Body("plain", 30, stream: i % 2 == 0, more: $",\"user\":\"{i}\""),
            4 => Load.Body("plain+other", 30, stream: true, more: ",\"logprobs\":5,\"expert_logprobs\":true"),
            5 => Load.Body("other", 20, more: ",\"n\":3,\"logprobs\":20"),
            6 => Load.Body("endless", 200, stream: true),
            7 => Load.Body("endless", 2000, stream: true),
            8 => Load.Body($"nobody-{i}", 5),
            _ => Load.Body("endless", 100),
        }, leaving.Token);
        bool isAsItShould = isWrong ? outcome.Status == System.Net.HttpStatusCode.NotFound : outcome.IsWhole || (leaves && outcome.Status is null);
        if (!isAsItShould)
            Interlocked.Increment(ref _failed);
    }

    /// <summary>Of the line with the least squares, a step.</summary>
    private static double Slope(List<double> values)
    {
        double middle = (values.Count - 1) / 2.0, mean = values.Average();
        return values.Select((value, i) => (i - middle) * (value - mean)).Sum() / Enumerable.Range(0, values.Count).Sum(i => (i - middle) * (i - middle));
    }
}

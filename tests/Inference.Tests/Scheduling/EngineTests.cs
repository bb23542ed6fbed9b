using System.Threading.Channels;
using Serving.Inference.Scheduling;

namespace Serving.Inference.Tests.Scheduling;

public class EngineTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private static CancellationToken Stay => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Submit_ManyCallersAtOnce_EachGetsItsOwnAnswer()
    {
        await using Engine engine = new(Backend(), Requests.Tokenizer, new EngineOptions { MaxRunning = 7, TokenBudget = 16 });
        GenerationRequest[] requests = [.. Enumerable.Range(0, 60).Select(i => Requests.Of(i, i + 1, 3))];
        List<GenerationEvent>[] answers = await Task.WhenAll(
            requests.Select(request => Task.Run(() => ReadAll(engine.Submit(request, Stay)))));

        for (int i = 0; i < requests.Length; i++)
        {
            int[] expected = Requests.Expected(requests[i], 64, []);
            Assert.Equal(expected, answers[i].OfType<TokenGenerated>().Select(token => token.TokenId));
            Assert.Equal(FinishReason.Length, Last(answers[i]).Reason);
        }
        Assert.True(await engine.DrainAsync(Patience));
        AssertIdle(engine.Statistics);
        Assert.Equal(60 * 8, engine.Statistics.GeneratedTokens);
        Assert.Equal(60 * 3, engine.Statistics.PromptTokens);
    }

    [Fact]
    public async Task Submit_MoreRequestsThanMayWait_RefusesAtTheDoor()
    {
        ReadBackBackend backend = Backend();
        EngineOptions options = new() { MaxRunning = 1, MaxWaitingRequests = 2 };
        await using Engine engine = new(backend, Requests.Tokenizer, options);
        using StalledBackend stalled = new(backend);
        List<ChannelReader<GenerationEvent>> taken = [engine.Submit(Requests.Of(1, 2), Stay)];
        stalled.AwaitPass();
        taken.Add(engine.Submit(Requests.Of(3, 4), Stay));
        taken.Add(engine.Submit(Requests.Of(5, 6), Stay));
        EngineRefusedException refused = Refusal(engine);

        Assert.Equal(EngineRefusal.QueueFull, refused.Reason);
        Assert.Equal(EngineRefusal.QueueFull, Assert.Throws<EngineRefusedException>(engine.ThrowIfFull).Reason);
        Assert.InRange(refused.RetryAfterSeconds, 1, 120);
        Assert.Equal((2, 4L), (engine.Statistics.WaitingRequests, engine.Statistics.WaitingTokens));
        stalled.Release();
        foreach (ChannelReader<GenerationEvent> events in taken)
            Assert.Equal(FinishReason.Length, Last(await ReadAll(events)).Reason);
        engine.ThrowIfFull();
        await ReadAll(engine.Submit(Requests.Of(7, 8), Stay));
    }

    [Fact]
    public async Task Submit_MoreTokensThanMayWait_RefusesAtTheDoorButTakesOneLongRequest()
    {
        ReadBackBackend backend = Backend();
        await using Engine engine = new(backend, Requests.Tokenizer, new EngineOptions { MaxRunning = 1, MaxWaitingTokens = 2 });
        using StalledBackend stalled = new(backend);
        ChannelReader<GenerationEvent> first = engine.Submit(Requests.Of(1, 2, 3), Stay);
        stalled.AwaitPass();
        ChannelReader<GenerationEvent> second = engine.Submit(Requests.Of(1, 2, 3), Stay);

        Assert.Equal(EngineRefusal.QueueFull, Refusal(engine).Reason);
        stalled.Release();
        await ReadAll(first);
        await ReadAll(second);
    }

    [Fact]
    public async Task Submit_CancelledWaitingRunningOrBefore_EndsCancelledAndFreesEverything()
    {
        ReadBackBackend backend = Backend();
        await using Engine engine = new(backend, Requests.Tokenizer, new EngineOptions { MaxRunning = 1, ReusePrefixes = false });
        using StalledBackend stalled = new(backend);
        using CancellationTokenSource leaving = new();
        ChannelReader<GenerationEvent> running = engine.Submit(Requests.Of(1, 2), leaving.Token);
        stalled.AwaitPass();
        ChannelReader<GenerationEvent> waiting = engine.Submit(Requests.Of(3, 4), leaving.Token);
        ChannelReader<GenerationEvent> staying = engine.Submit(Requests.Of(5, 6), Stay);
        await leaving.CancelAsync();
        ChannelReader<GenerationEvent> late = engine.Submit(Requests.Of(7, 8), leaving.Token);
        stalled.Release();

        foreach (ChannelReader<GenerationEvent> left in (ChannelReader<GenerationEvent>[])[running, waiting, late])
            Assert.Equal(FinishReason.Cancelled, Last(await ReadAll(left)).Reason);
        Assert.Equal(FinishReason.Length, Last(await ReadAll(staying)).Reason);
        Assert.True(await engine.DrainAsync(Patience));
        AssertIdle(engine.Statistics);
        Assert.Equal(0, engine.Statistics.KvBlocksCached);
    }

    [Fact]
    public async Task Submit_CancellationStorm_LeaksNothing()
    {
        await using Engine engine = new(Backend(), Requests.Tokenizer, new EngineOptions { MaxRunning = 8, TokenBudget = 8 });
        Random random = new(1);
        List<Task<List<GenerationEvent>>> answers = [];
        for (int i = 0; i < 200; i++)
        {
            using CancellationTokenSource leaving = new();
            answers.Add(ReadAll(engine.Submit(Requests.Of([.. Enumerable.Range(i % 50, random.Next(1, 30))]), leaving.Token)));
            if (random.Next(2) == 0) await Task.Yield();
            if (random.Next(3) > 0) await leaving.CancelAsync();
        }
        foreach (List<GenerationEvent> events in await Task.WhenAll(answers))
            Assert.True(Last(events).Reason is FinishReason.Length or FinishReason.Cancelled);
        Assert.True(await engine.DrainAsync(Patience));
        AssertIdle(engine.Statistics);
    }

    [Fact]
    public async Task Submit_WhileDrainingOrAfterDispose_IsRefused()
    {
        Engine engine = new(Backend(), Requests.Tokenizer, new EngineOptions());
        Assert.True(await engine.DrainAsync(Patience));
        Assert.Equal(EngineRefusal.ShuttingDown, Refusal(engine).Reason);
        await engine.DisposeAsync();
        await engine.DisposeAsync();
        Assert.Equal(EngineRefusal.ShuttingDown, Refusal(engine).Reason);
        Assert.True(await engine.DrainAsync(Patience));
    }

    [Fact]
    public async Task DisposeAsync_RequestsUnfinished_EndsEachWithAnError()
    {
        ReadBackBackend backend = Backend();
        Engine engine = new(backend, Requests.Tokenizer, new EngineOptions { MaxRunning = 1 });
        using StalledBackend stalled = new(backend);
        ChannelReader<GenerationEvent> running = engine.Submit(Requests.Of(1, 2), Stay);
        stalled.AwaitPass();
        ChannelReader<GenerationEvent> waiting = engine.Submit(Requests.Of(3, 4), Stay);
        Task disposal = engine.DisposeAsync().AsTask();
        stalled.Release();
        await disposal;

        foreach (ChannelReader<GenerationEvent> events in (ChannelReader<GenerationEvent>[])[running, waiting])
            Assert.IsType<EngineRefusedException>(Last(await ReadAll(events)).Error);
        AssertIdle(engine.Statistics);
    }

    [Fact]
    public async Task DrainAsync_RequestStuck_SaysSoAfterTheTimeout()
    {
        ReadBackBackend backend = Backend();
        await using Engine engine = new(backend, Requests.Tokenizer, new EngineOptions());
        using StalledBackend stalled = new(backend);
        ChannelReader<GenerationEvent> running = engine.Submit(Requests.Of(1, 2), Stay);
        stalled.AwaitPass();
        Assert.False(await engine.DrainAsync(TimeSpan.Zero));
        stalled.Release();
        Assert.True(await engine.DrainAsync(Patience));
        Assert.Equal(FinishReason.Length, Last(await ReadAll(running)).Reason);
    }

    [Fact]
    public async Task Forward_Throws_FailsItsRequestsAndServesOthers()
    {
        ReadBackBackend backend = Backend();
        backend.BeforeForward = batch =>
        {
            if (batch.Tokens.Contains(99)) throw new InvalidOperationException("cannot");
        };
        await using Engine engine = new(backend, Requests.Tokenizer, new EngineOptions());
        GenerationFinished failed = Last(await ReadAll(engine.Submit(Requests.Of(98, 99), Stay)));
        Assert.Equal((FinishReason.Error, "cannot"), (failed.Reason, failed.Error?.Message));
        GenerationFinished served = Last(await ReadAll(engine.Submit(Requests.Of(1, 2) with { MaxTokens = 1 }, Stay)));
        Assert.Equal(FinishReason.Length, served.Reason);
    }

    [Fact]
    public async Task Loop_Dies_FailsItsRequestsAndRefusesOthers()
    {
        ReadBackBackend backend = Backend();
        BreakableClock clock = new();
        await using Engine engine = new(backend, Requests.Tokenizer, new EngineOptions(), clock);
        using StalledBackend stalled = new(backend);
        ChannelReader<GenerationEvent> first = engine.Submit(Requests.Of(1, 2), Stay);
        stalled.AwaitPass();
        ChannelReader<GenerationEvent> second = engine.Submit(Requests.Of(1, 2), Stay);
        int passes = 0;
        backend.BeforeForward = _ => clock.BreaksOnce = ++passes == 3;
        stalled.Release();

        foreach (ChannelReader<GenerationEvent> events in (ChannelReader<GenerationEvent>[])[first, second])
        {
            EngineRefusedException fault = Assert.IsType<EngineRefusedException>(Last(await ReadAll(events)).Error);
            Assert.Equal(EngineRefusal.Faulted, fault.Reason);
            Assert.IsType<TimeoutException>(fault.InnerException);
        }
        Assert.Equal(EngineRefusal.Faulted, Refusal(engine).Reason);
    }

    [Fact]
    public async Task Loop_DiesOfAClockThatStaysBroken_EverybodyIsToldAllTheSame()
    {
        ReadBackBackend backend = Backend();
        BreakableClock clock = new();
        await using Engine engine = new(backend, Requests.Tokenizer, new EngineOptions { MaxRunning = 1 }, clock);
        using StalledBackend stalled = new(backend);
        ChannelReader<GenerationEvent> running = engine.Submit(Requests.Of(1, 2), Stay);
        stalled.AwaitPass();
        ChannelReader<GenerationEvent> waiting = engine.Submit(Requests.Of(1, 2), Stay);
        clock.IsBroken = true;
        stalled.Release();

        foreach (ChannelReader<GenerationEvent> events in (ChannelReader<GenerationEvent>[])[running, waiting])
            Assert.Equal(FinishReason.Error, Last(await ReadAll(events)).Reason);
        Assert.True(engine.HasFailed);
        AssertIdle(engine.Statistics);
    }

    [Fact]
    public async Task Listener_Lags_IsWaitedForAndHoldsNobodyElseUp()
    {
        DecodeOnlyBackend backend = new(Requests.Vocabulary, blocks: 256, blockTokens: 16);
        await using Engine engine = new(backend, Requests.Tokenizer, new EngineOptions());
        ChannelReader<GenerationEvent> lagging = engine.Submit(Requests.Of(1) with { MaxTokens = 1000 }, Stay);
        List<GenerationEvent> other = await ReadAll(engine.Submit(Requests.Of(2) with { MaxTokens = 1000 }, Stay));
        Assert.Equal(1000, Last(other).Usage.GeneratedTokens);
        while (lagging.Count < Generation.MostUnreadEvents) await Task.Yield();
        await ReadAll(engine.Submit(Requests.Of(3), Stay));
        Assert.Equal(Generation.MostUnreadEvents, lagging.Count);

        Assert.Equal(1000, Last(await ReadAll(lagging)).Usage.GeneratedTokens);
        Assert.True(await engine.DrainAsync(Patience));
        AssertIdle(engine.Statistics);
    }

    [Fact]
    public async Task Finish_Always_CarriesCountsAndTimes()
    {
        await using Engine engine = new(Backend(), Requests.Tokenizer, new EngineOptions());
        GenerationUsage usage = Last(await ReadAll(engine.Submit(Requests.Of(1, 2, 3), Stay))).Usage;
        Assert.Equal((3, 0, 8), (usage.PromptTokens, usage.CachedTokens, usage.GeneratedTokens));
        double[] times = [0, usage.QueueSeconds, usage.FirstTokenSeconds!.Value, usage.TotalSeconds];
        Assert.Equal(times.Order(), times);
    }

    public static TheoryData<string, GenerationRequest> Misfits => new()
    {
        { "PromptTokens", Requests.Of() },
        { "PromptTokens", Requests.Of(256) },
        { "PromptTokens", Requests.Of(-1) },
        { "PromptTokens", Requests.Of(new int[64]) },
        { "MaxTokens", Requests.Of(1) with { MaxTokens = -1 } },
        { "MinTokens", Requests.Of(1) with { MinTokens = 9 } },
        { "Logprobs", Requests.Of(1) with { Logprobs = 21 } },
        { "PromptLogprobs", Requests.Of(1) with { PromptLogprobs = -1 } },
        { "StopTokenIds", Requests.Of(1) with { StopTokenIds = [256] } },
        { "Stop", Requests.Of(1) with { Stop = [""] } },
        { "LogitBias", Requests.Of(1) with { LogitBias = [new(256, 0)] } },
        { "LogitBias", Requests.Of(1) with { LogitBias = [new(1, float.NaN)] } },
        { "Temperature", Requests.Of(1) with { Sampling = new(float.NaN, 1, 0, 0, 0) } },
        { "TopP", Requests.Of(1) with { Sampling = new(1, 0, 0, 0, 0) } },
        { "TopK", Requests.Of(1) with { Sampling = new(1, 1, -1, 0, 0) } },
        { "MinP", Requests.Of(1) with { Sampling = new(1, 1, 0, 1.1f, 0) } },
    };

    [Theory]
    [MemberData(nameof(Misfits), DisableDiscoveryEnumeration = true)]
    public async Task Submit_RequestThatDoesNotFit_NamesTheField(string field, GenerationRequest request)
    {
        await using Engine engine = new(Backend(), Requests.Tokenizer, new EngineOptions());
        Assert.StartsWith(field + " must", Assert.Throws<ArgumentException>(() => engine.Submit(request, Stay)).Message);
    }

    [Fact]
    public void Constructor_SeveralWrongOptions_NamesAll()
    {
        ArgumentException wrong = Assert.Throws<ArgumentException>(
            () => new Engine(Backend(), Requests.Tokenizer, new EngineOptions { TokenBudget = 0, MaxRunning = -1 }));
        Assert.Contains("TokenBudget must be at least 1, but is 0.", wrong.Message, StringComparison.Ordinal);
        Assert.Contains("MaxRunning must be at least 1, but is -1.", wrong.Message, StringComparison.Ordinal);
    }

    private static ReadBackBackend Backend() => new(Requests.Vocabulary, 64, blocks: 40, blockTokens: 4);

    private static EngineRefusedException Refusal(Engine engine) =>
        Assert.Throws<EngineRefusedException>(() => engine.Submit(Requests.Of(1), Stay));

    private static async Task<List<GenerationEvent>> ReadAll(ChannelReader<GenerationEvent> events)
    {
        List<GenerationEvent> all = [];
        await foreach (GenerationEvent next in events.ReadAllAsync(Stay)) all.Add(next);
        return all;
    }

    private static GenerationFinished Last(List<GenerationEvent> events)
    {
        Assert.Single(events.OfType<GenerationFinished>());
        return Assert.IsType<GenerationFinished>(events[^1]);
    }

    private static void AssertIdle(EngineStatistics statistics)
    {
        Assert.Equal((0, 0L), (statistics.WaitingRequests, statistics.WaitingTokens));
        Assert.Equal((0, 0), (statistics.RunningRequests, statistics.KvBlocksUsed));
    }
}

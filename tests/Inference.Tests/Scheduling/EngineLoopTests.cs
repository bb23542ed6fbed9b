using Serving.Inference.Sampling;
using Serving.Inference.Scheduling;
using Serving.Inference.Speculation;
using static Serving.Inference.Tests.Scheduling.LoopRuns;

namespace Serving.Inference.Tests.Scheduling;

public class EngineLoopTests
{
    public static TheoryData<int> Seeds => [.. Enumerable.Range(0, 150)];

    public static TheoryData<int> ChunkSizes => [.. Enumerable.Range(1, 64)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Compute_RandomScheduleWithCancellations_EveryRequestEqualsItselfAlone(int seed)
    {
        Random random = new(seed);
        int blockTokens = random.Next(1, 9);
        int blocks = random.Next((48 / blockTokens) + 1, 160 / blockTokens);
        ReadBackBackend backend = new(Requests.Vocabulary, 60, blocks, blockTokens);
        EngineOptions options = new()
        {
            TokenBudget = random.Next(1, 65),
            LogitRows = random.Next(1, 9),
            MaxRunning = random.Next(1, 9),
            ReusePrefixes = random.Next(3) > 0,
            EndOfTextIds = Ends,
            Speculation = random.Next(3) == 0 ? null : new SpeculationOptions((DraftSource)random.Next(2), random.Next(1, 7)),
        };
        EngineLoop loop = new(backend, options);
        List<Generation> all = [.. Enumerable.Range(0, 25)
            .Select(_ => Create(Requests.Random(random, Math.Min(loop.ContextTokens, 45), Ends), loop))];
        HashSet<Generation> cancelled = [];
        for (int next = 0; next < all.Count || loop.HasWork;)
        {
            while (next < all.Count && random.Next(3) == 0) loop.Accept(all[next++]);
            if (random.Next(12) == 0 && next > 0)
            {
                Generation victim = all[random.Next(next)];
                if (victim.State != SequenceState.Finished) cancelled.Add(victim);
                loop.Abort(victim, FinishReason.Cancelled);
                Assert.Empty(victim.Blocks);
            }
            if (loop.HasWork) Step(loop);
            loop.Scheduler.Check();
        }
        Assert.Equal(0, loop.Scheduler.Pool.Used);
        Assert.Equal(0, loop.Scheduler.WaitingTokens);
        Assert.True(backend.Largest.Rows <= options.LogitRows && backend.Largest.Tokens <= options.TokenBudget);
        foreach (Generation generation in all) AssertEqualsAlone(generation, loop.ContextTokens, cancelled.Contains(generation));
    }

    [Theory]
    [MemberData(nameof(ChunkSizes))]
    public void Compute_AnyChunkSizeCacheOnOrOff_SameEventsBitForBit(int chunk)
    {
        GenerationRequest request = Requests.Of([.. Enumerable.Range(0, 70).Select(i => i * 7 % 251)]) with
        {
            Logprobs = 3,
            Sampling = new SamplingOptions(0.8f, 0.9f, 0, 0, 5),
        };
        List<GenerationEvent> whole = Run(request, new EngineOptions { ReusePrefixes = false });
        Assert.Equal(9, whole.Count);
        foreach (bool reuse in (bool[])[false, true])
        {
            EngineOptions options = new() { TokenBudget = chunk, ReusePrefixes = reuse };
            AssertSame(whole, Run(request, options));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Compute_TooFewBlocksForAll_PreemptsAndChangesNothing(bool reuse)
    {
        ReadBackBackend backend = new(Requests.Vocabulary, 64, blocks: 24, blockTokens: 2);
        EngineLoop loop = new(backend, new EngineOptions { ReusePrefixes = reuse });
        // Token 7 over and over: all blocks look alike, and only their places in the chain tell them apart.
        List<Generation> all = [.. Enumerable.Range(0, 4).Select(i => Create(
            Requests.Of(7, 7, 7, 7) with { MaxTokens = 40 - i, Logprobs = 1, LogitBias = [new LogitBias(7, 100)] }, loop))];
        foreach (Generation generation in all) loop.Accept(generation);
        RunToEnd(loop);

        Assert.True(loop.Scheduler.Preemptions > 0);
        foreach (Generation generation in all)
        {
            EngineOptions roomy = new() { ReusePrefixes = false };
            AssertSame(Run(generation.Request, roomy), Events(generation));
        }
    }

    [Theory]
    [InlineData(DraftSource.Lookup)]
    [InlineData(DraftSource.Depth)]
    public void Compute_TokensGuessedAhead_FewerStepsAndTheSameEvents(DraftSource source)
    {
        // Whatever the logits, the bias makes the answer repeat itself, so that both kinds of guesses are right now and then.
        GenerationRequest request = Requests.Of(5, 6, 7, 8, 5, 6, 7, 8) with
        {
            MaxTokens = 40,
            Logprobs = 2,
            LogitBias = [new LogitBias(7, 12), new LogitBias(8, 12)],
            Sampling = new SamplingOptions(0.9f, 1, 0, 0, 3),
        };
        EngineLoop plain = Loop(null), guessing = Loop(new SpeculationOptions(source, 4));
        Generation expected = Create(request, plain), actual = Create(request, guessing);
        plain.Accept(expected);
        guessing.Accept(actual);
        RunToEnd(plain);
        RunToEnd(guessing);
        AssertSame(Events(expected), Events(actual));
        Assert.Equal((0, 40), (plain.DraftedTokens, plain.Steps));
        Assert.True(guessing.AcceptedTokens > 0 && guessing.AcceptedTokens < guessing.DraftedTokens);
        Assert.Equal(40 - guessing.AcceptedTokens, guessing.Steps);
        Assert.Equal(guessing.AcceptedTokens, actual.Guesses.Accepted);

        static EngineLoop Loop(SpeculationOptions? speculation) =>
            new(new ReadBackBackend(Requests.Vocabulary, 64, 32, 4), new EngineOptions { Speculation = speculation });
    }

    [Fact]
    public void Create_DepthWithoutAShallowPart_IsRefused() => Assert.Throws<ArgumentException>(() =>
        new EngineLoop(new DecodeOnlyBackend(8, 4, 4), new EngineOptions { Speculation = new SpeculationOptions(DraftSource.Depth) }));

    [Fact]
    public void Compute_PromptWhollyCached_StillComputesItsLastToken()
    {
        EngineLoop loop = new(new ReadBackBackend(Requests.Vocabulary, 64, 32, 4), new EngineOptions());
        GenerationRequest request = Requests.Of([.. Enumerable.Range(20, 16)]);
        Generation first = Create(request, loop);
        loop.Accept(first);
        RunToEnd(loop);
        long computed = loop.ComputedTokens;
        Generation second = Create(request, loop);
        loop.Accept(second);
        RunToEnd(loop);

        Assert.Equal(12, second.CachedTokens); // of four full blocks the last holds the last token
        Assert.Equal(12, loop.CachedPromptTokens);
        Assert.Equal(computed - 12, loop.ComputedTokens - computed);
        AssertSame(Events(first), Events(second));
    }

    [Fact]
    public void Compute_OtherCacheScope_SharesNothing()
    {
        EngineLoop loop = new(new ReadBackBackend(Requests.Vocabulary, 64, 32, 4), new EngineOptions());
        loop.Accept(Create(Requests.Of([.. Enumerable.Range(20, 16)]), loop));
        RunToEnd(loop);
        loop.Accept(Create(Requests.Of([.. Enumerable.Range(20, 16)]) with { CacheScope = 1 }, loop));
        RunToEnd(loop);

        Assert.Equal(0, loop.CachedPromptTokens);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Compute_PromptScored_ScoresEveryPositionThoughThePrefixIsCached(int maxTokens)
    {
        ReadBackBackend backend = new(Requests.Vocabulary, 64, 32, 4);
        EngineLoop loop = new(backend, new EngineOptions { LogitRows = 5 });
        GenerationRequest request = Requests.Of([.. Enumerable.Range(20, 33)]) with { MaxTokens = maxTokens, PromptLogprobs = 1 };
        loop.Accept(Create(request with { PromptLogprobs = null, MaxTokens = 1 }, loop));
        RunToEnd(loop);
        Generation generation = Create(request, loop);
        loop.Accept(generation);
        RunToEnd(loop);

        List<GenerationEvent> events = Events(generation);
        PromptScored scored = Assert.IsType<PromptScored>(events[0]);
        Assert.Equal(maxTokens + 2, events.Count);
        Assert.Equal(FinishReason.Length, Assert.IsType<GenerationFinished>(events[^1]).Reason);
        AssertScores(request, scored);
        Assert.True(backend.Largest.Rows <= 5);
    }

    [Fact]
    public void Accept_OneTokenScored_AnswersWithoutAPass()
    {
        EngineLoop loop = new(new ReadBackBackend(Requests.Vocabulary, 64, 32, 4), new EngineOptions());
        Generation generation = Create(Requests.Of(9) with { MaxTokens = 0, PromptLogprobs = 2 }, loop);
        loop.Accept(generation);

        Assert.False(loop.HasWork);
        List<GenerationEvent> events = Events(generation);
        Assert.Equal([new ScoredToken(9, null, null)], Assert.IsType<PromptScored>(events[0]).Tokens);
        Assert.Equal(FinishReason.Length, Assert.IsType<GenerationFinished>(events[1]).Reason);
    }

    [Fact]
    public void Compute_Decoding_AllocatesNothingButEvents()
    {
        DecodeOnlyBackend backend = new(vocabulary: 5000, blocks: 64, blockTokens: 16);
        EngineLoop loop = new(backend, new EngineOptions());
        SamplingOptions[] ways = [SamplingOptions.Greedy, new(1, 0.9f, 0, 0, 1), new(1, 1, 50, 0.01f, 2) { PresencePenalty = 1 }];
        foreach (SamplingOptions way in ways)
            loop.Accept(Create(Requests.Of(1, 2, 3) with { MaxTokens = 500, Sampling = way, Stop = ["\0"] }, loop));
        for (int i = 0; i < 60; i++) Step(loop);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++) Step(loop);
        long perEvent = (GC.GetAllocatedBytesForCurrentThread() - before) / 300;

        Assert.InRange(perEvent, 0, 160); // the event, its text, its share of a channel segment
    }
}

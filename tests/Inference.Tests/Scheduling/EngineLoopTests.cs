using Serving.Inference.Sampling;
using Serving.Inference.Scheduling;
using Serving.Inference.Speculation;

namespace Serving.Inference.Tests.Scheduling;

public class EngineLoopTests
{
    private static readonly int[] Ends = [2, 40, 41, 42, 43];

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
    public void Compute_ForwardThrows_FailsTheBatchFreesItsBlocksAndServesTheNext()
    {
        ReadBackBackend backend = new(Requests.Vocabulary, 64, 32, 4)
        {
            BeforeForward = _ => throw new TimeoutException("no answer"),
        };
        EngineLoop loop = new(backend, new EngineOptions { MaxRunning = 2, EndOfTextIds = Ends });
        List<Generation> all = [.. Enumerable.Range(0, 3).Select(i => Create(Requests.Of(i + 5, 6, 7), loop))];
        foreach (Generation generation in all) loop.Accept(generation);
        Step(loop);
        Assert.Equal(0, loop.Scheduler.Pool.Used);
        backend.BeforeForward = null;
        RunToEnd(loop);

        foreach (Generation failed in all.Take(2))
        {
            GenerationFinished last = Assert.IsType<GenerationFinished>(Assert.Single(Events(failed)));
            Assert.Equal(FinishReason.Error, last.Reason);
            Assert.IsType<TimeoutException>(last.Error);
        }
        AssertEqualsAlone(all[2], loop.ContextTokens, cancelled: false);
    }

    [Fact]
    public void Compute_ForwardThrowsForOneSequence_FailsThatRequestAlone()
    {
        ReadBackBackend backend = new(Requests.Vocabulary, 64, 32, 4)
        {
            BeforeForward = batch =>
            {
                if (batch.Tokens.Contains(99)) throw new InvalidOperationException("cannot");
            },
        };
        EngineLoop loop = new(backend, new EngineOptions { EndOfTextIds = Ends });
        List<Generation> all = [Create(Requests.Of(5, 6, 7), loop), Create(Requests.Of(99, 6, 7), loop), Create(Requests.Of(7, 6, 7), loop)];
        foreach (Generation generation in all) loop.Accept(generation);
        RunToEnd(loop);

        GenerationFinished failed = Assert.IsType<GenerationFinished>(Assert.Single(Events(all[1])));
        Assert.Equal("cannot", failed.Error?.Message);
        AssertEqualsAlone(all[0], loop.ContextTokens, cancelled: false);
        AssertEqualsAlone(all[2], loop.ContextTokens, cancelled: false);
    }

    [Fact]
    public void Compute_BackendUnavailable_FailsTheBatchWithoutAnotherTry()
    {
        int passes = 0;
        ReadBackBackend backend = new(Requests.Vocabulary, 64, 32, 4)
        {
            BeforeForward = _ => throw new BackendUnavailableException($"pass {++passes}"),
        };
        EngineLoop loop = new(backend, new EngineOptions { EndOfTextIds = Ends });
        List<Generation> all = [.. Enumerable.Range(5, 3).Select(i => Create(Requests.Of(i, 6, 7), loop))];
        foreach (Generation generation in all) loop.Accept(generation);
        Step(loop);
        Assert.Equal(1, passes);
        Assert.All(all, generation => Assert.Equal("pass 1", Assert.IsType<GenerationFinished>(Assert.Single(Events(generation))).Error?.Message));
    }

    [Fact]
    public void Compute_OneRowIsNaN_FailsThatRequestAlone()
    {
        ReadBackBackend backend = new(Requests.Vocabulary, 64, 32, 4)
        {
            IsBroken = tokens => tokens[0] == 6 && tokens.Count == 5,
        };
        EngineLoop loop = new(backend, new EngineOptions { EndOfTextIds = Ends });
        List<Generation> all = [.. Enumerable.Range(5, 3).Select(i => Create(Requests.Of(i, 6, 7), loop))];
        foreach (Generation generation in all) loop.Accept(generation);
        RunToEnd(loop);

        List<GenerationEvent> broken = Events(all[1]);
        Assert.Equal(3, broken.Count); // two tokens before
        Assert.IsType<ArithmeticException>(Assert.IsType<GenerationFinished>(broken[2]).Error);
        AssertEqualsAlone(all[0], loop.ContextTokens, cancelled: false);
        AssertEqualsAlone(all[2], loop.ContextTokens, cancelled: false);
    }

    [Fact]
    public void Compute_EndOfTextToken_IsReportedWithoutText()
    {
        GenerationRequest request = Requests.Of(50, 60, 70);
        int third = Requests.Expected(request, 64, [])[2];
        EngineOptions options = new() { EndOfTextIds = [third] };
        List<GenerationEvent> events = Run(request, options);

        TokenGenerated end = Assert.IsType<TokenGenerated>(events[^2]);
        Assert.Equal((third, ""), (end.TokenId, end.Text));
        Assert.Equal(FinishReason.Stop, Assert.IsType<GenerationFinished>(events[^1]).Reason);
        Assert.True(Run(request with { IgnoreEndOfText = true }, options).Count > events.Count);
        Assert.True(Run(request with { MinTokens = 5 }, options).Count > 5);
    }

    [Fact]
    public void Compute_StopTextAcrossTokens_CutsTheTextThereAndFreesTheBlocks()
    {
        GenerationRequest request = Requests.Of(50, 60, 70) with { MaxTokens = 20 };
        string whole = Text(Run(request, new EngineOptions()));
        for (int start = 0; start + 3 < whole.Length; start++)
        {
            string stop = whole.Substring(start, 3);
            List<GenerationEvent> events = Run(request with { Stop = [stop, "never"] }, new EngineOptions());

            Assert.Equal(whole[..whole.IndexOf(stop, StringComparison.Ordinal)], Text(events));
            Assert.Equal(FinishReason.Stop, Assert.IsType<GenerationFinished>(events[^1]).Reason);
        }
    }

    [Fact]
    public void Compute_StopTextBeforeMinTokens_DoesNotStop()
    {
        GenerationRequest request = Requests.Of(50, 60, 70);
        string whole = Text(Run(request, new EngineOptions()));
        List<GenerationEvent> events = Run(request with { Stop = [whole[..2]], MinTokens = 6 }, new EngineOptions());

        Assert.Equal(whole, Text(events));
        Assert.Equal("", Text(Run(request with { Stop = [whole[..2]] }, new EngineOptions())));
    }

    [Fact]
    public void Compute_ContextEndsFirst_FinishesWithLength()
    {
        EngineLoop loop = new(new ReadBackBackend(Requests.Vocabulary, 64, 4, 3), new EngineOptions());
        Generation generation = Create(Requests.Of(5, 6, 7) with { MaxTokens = 1000 }, loop);
        loop.Accept(generation);
        RunToEnd(loop);

        Assert.Equal(12, loop.ContextTokens); // all blocks
        Assert.Equal(12, generation.Tokens.Length);
        Assert.Equal(FinishReason.Length, Assert.IsType<GenerationFinished>(Events(generation)[^1]).Reason);
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

    private static void Step(EngineLoop loop)
    {
        loop.Plan();
        loop.Compute();
    }

    private static Generation Create(GenerationRequest request, EngineLoop loop) =>
        new(request, loop.ContextTokens, Requests.Tokenizer.CreateDecoder(), TimeProvider.System)
        {
            HiddenSum = request.PoolsPrompt ? new double[2] : null,
        };

    private static List<GenerationEvent> Run(GenerationRequest request, EngineOptions options)
    {
        EngineLoop loop = new(new ReadBackBackend(Requests.Vocabulary, 100, 40, 4), options);
        Generation generation = Create(request, loop);
        loop.Accept(generation);
        RunToEnd(loop);
        return Events(generation);
    }

    private static void RunToEnd(EngineLoop loop)
    {
        while (loop.HasWork)
        {
            Step(loop);
            loop.Scheduler.Check();
        }
        Assert.Equal(0, loop.Scheduler.Pool.Used);
    }

    private static List<GenerationEvent> Events(Generation generation)
    {
        List<GenerationEvent> events = [];
        while (generation.Events.TryRead(out GenerationEvent? next)) events.Add(next);
        Assert.True(generation.Events.Completion.IsCompleted);
        Assert.Single(events.OfType<GenerationFinished>());
        return events;
    }

    private static string Text(IEnumerable<GenerationEvent> events) => string.Concat(events.Select(next => next switch
    {
        TokenGenerated token => token.Text,
        GenerationFinished last => last.Text,
        _ => "",
    }));

    private static void AssertEqualsAlone(Generation generation, int context, bool cancelled)
    {
        List<GenerationEvent> events = Events(generation);
        GenerationFinished last = Assert.IsType<GenerationFinished>(events[^1]);
        Assert.Null(last.Error);
        int[] expected = Requests.Expected(generation.Request, context, Ends);
        int[] actual = [.. events.OfType<TokenGenerated>().Select(token => token.TokenId)];
        if (cancelled)
        {
            Assert.Equal(FinishReason.Cancelled, last.Reason);
            Assert.Equal(expected.Take(actual.Length), actual);
            return;
        }
        Assert.Equal(expected, actual);
        Assert.Equal(actual.Length, last.Usage.GeneratedTokens);
        if (generation.Request.PoolsPrompt) AssertMean(generation.Request, events.OfType<PromptPooled>().Single());
        if (generation.Scores) AssertScores(generation.Request, events.OfType<PromptScored>().Single());
        int spoken = last.Reason == FinishReason.Stop ? actual.Length - 1 : actual.Length;
        Assert.Equal(Requests.Tokenizer.Decode(actual.AsSpan(0, spoken)), Text(events));
    }

    private static void AssertMean(GenerationRequest request, PromptPooled pooled) => Assert.Equal(
        [(float)request.PromptTokens.Average(), (float)request.PromptTokens.Select((token, position) => token * position).Average()],
        pooled.Mean);

    private static void AssertScores(GenerationRequest request, PromptScored scored)
    {
        Assert.Equal(request.PromptTokens, scored.Tokens.Select(token => token.TokenId));
        Assert.Null(scored.Tokens[0].Logprob);
        double[] expected = Requests.ExpectedScores(request);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i], scored.Tokens[i + 1].Logprob!.Value, 1e-5);
            Assert.Equal(request.PromptLogprobs, scored.Tokens[i + 1].TopLogprobs!.Count);
        }
    }

    private static void AssertSame(List<GenerationEvent> expected, List<GenerationEvent> actual)
    {
        Assert.Equal(expected.Count, actual.Count);
        TokenGenerated[] others = [.. actual.OfType<TokenGenerated>()];
        foreach ((TokenGenerated one, TokenGenerated other) in expected.OfType<TokenGenerated>().Zip(others))
        {
            Assert.Equal((one.TokenId, one.Text, one.Logprob), (other.TokenId, other.Text, other.Logprob));
            Assert.Equal(one.TopLogprobs ?? [], other.TopLogprobs ?? []);
        }
    }
}

using Serving.Inference.Scheduling;

namespace Serving.Inference.Tests.Scheduling;

/// <summary>Generations through an engine loop, and what they must come to.</summary>
internal static class LoopRuns
{
    /// <summary>Tokens that end a text.</summary>
    public static readonly int[] Ends = [2, 40, 41, 42, 43];

    public static void Step(EngineLoop loop)
    {
        loop.Plan();
        loop.Compute();
    }

    public static Generation Create(GenerationRequest request, EngineLoop loop) =>
        new(request, loop.ContextTokens, Requests.Tokenizer.CreateDecoder(), TimeProvider.System)
        {
            HiddenSum = request.PoolsPrompt ? new double[2] : null,
        };

    public static List<GenerationEvent> Run(GenerationRequest request, EngineOptions options)
    {
        EngineLoop loop = new(new ReadBackBackend(Requests.Vocabulary, 100, 40, 4), options);
        Generation generation = Create(request, loop);
        loop.Accept(generation);
        RunToEnd(loop);
        return Events(generation);
    }

    public static void RunToEnd(EngineLoop loop)
    {
        while (loop.HasWork)
        {
            Step(loop);
            loop.Scheduler.Check();
        }
        Assert.Equal(0, loop.Scheduler.Pool.Used);
    }

    public static List<GenerationEvent> Events(Generation generation)
    {
        List<GenerationEvent> events = [];
        while (generation.Events.TryRead(out GenerationEvent? next)) events.Add(next);
        Assert.True(generation.Events.Completion.IsCompleted);
        Assert.Single(events.OfType<GenerationFinished>());
        return events;
    }

    public static string Text(IEnumerable<GenerationEvent> events) => string.Concat(events.Select(next => next switch
    {
        TokenGenerated token => token.Text,
        GenerationFinished last => last.Text,
        _ => "",
    }));

    public static void AssertEqualsAlone(Generation generation, int context, bool cancelled)
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

    public static void AssertScores(GenerationRequest request, PromptScored scored)
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

    public static void AssertSame(List<GenerationEvent> expected, List<GenerationEvent> actual)
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

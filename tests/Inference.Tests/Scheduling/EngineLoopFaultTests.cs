using Serving.Inference.Scheduling;
using static Serving.Inference.Tests.Scheduling.LoopRuns;

namespace Serving.Inference.Tests.Scheduling;

/// <summary>What a fault ends, and what it does not.</summary>
public class EngineLoopFaultTests
{
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
}

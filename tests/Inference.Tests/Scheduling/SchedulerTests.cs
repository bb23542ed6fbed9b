using Serving.Inference.Scheduling;

namespace Serving.Inference.Tests.Scheduling;

public class SchedulerTests
{
    private readonly ForwardBatch _batch = new();

    [Fact]
    public void Fill_OneGeneratesAndPromptsWait_DecodesFirstThenFillsTheBudgetInOrder()
    {
        Scheduler scheduler = new(new EngineOptions { TokenBudget = 10, ReusePrefixes = false }, new KvCapacity(64, 4));
        Sequence first = Enqueue(scheduler, 6);
        Step(scheduler);
        Sequence second = Enqueue(scheduler, 7);
        Sequence third = Enqueue(scheduler, 7);

        Assert.Equal([(first, 1, 1), (second, 7, 1), (third, 2, 0)], Step(scheduler));
        Assert.Equal([(first, 1, 1), (second, 1, 1), (third, 5, 1)], Step(scheduler));
    }

    [Fact]
    public void Fill_HeadOfTheQueueDoesNotFit_NobodyOvertakesIt()
    {
        Scheduler scheduler = new(new EngineOptions { ReusePrefixes = false }, new KvCapacity(8, 4));
        Sequence running = Enqueue(scheduler, 20);
        Step(scheduler);
        Sequence large = Enqueue(scheduler, 16);
        Enqueue(scheduler, 1);

        Assert.Equal([(running, 1, 1)], Step(scheduler));
        scheduler.Remove(running);
        Assert.Equal(large, Step(scheduler)[0].Sequence);
    }

    [Fact]
    public void Fill_CallersOfSeveralScopes_TakeTurnsByTheirTokens()
    {
        Scheduler scheduler = new(new EngineOptions { MaxRunning = 1, ReusePrefixes = false }, new KvCapacity(64, 4));
        Sequence[] greedy = [.. Enumerable.Range(0, 4).Select(_ => Enqueue(scheduler, 10, scope: 1))];
        Step(scheduler);
        Sequence small = Enqueue(scheduler, 1, scope: 2), smallToo = Enqueue(scheduler, 1, scope: 2), large = Enqueue(scheduler, 30, scope: 3);
        List<Sequence> order = [];
        for (Sequence? running = greedy[0]; running is not null; running = scheduler.All.FirstOrDefault())
        {
            order.Add(running);
            scheduler.Remove(running);
            if (scheduler.HasWork) Step(scheduler);
        }
        // The second of the greedy one's stood before the newcomers came, at a later turn than theirs.
        Assert.Equal([greedy[0], small, large, smallToo, greedy[1], greedy[2], greedy[3]], order);
    }

    [Fact]
    public void Fill_NoSpareBlockForTheRunningOne_AdmitsNobody()
    {
        Scheduler scheduler = new(new EngineOptions { ReusePrefixes = false }, new KvCapacity(4, 2));
        Sequence old = Enqueue(scheduler, 4);
        Sequence young = Enqueue(scheduler, 4);
        Assert.Equal([(old, 4, 1)], Step(scheduler));
        Assert.Equal([(old, 1, 1)], Step(scheduler));
        Assert.Equal(SequenceState.Waiting, young.State);
    }

    [Fact]
    public void Fill_BlocksRunOut_TheYoungestReturnsToTheHeadOfTheQueue()
    {
        Scheduler scheduler = new(new EngineOptions { ReusePrefixes = false }, new KvCapacity(5, 2));
        Sequence old = Enqueue(scheduler, 2);
        Sequence young = Enqueue(scheduler, 2);
        Sequence last = Enqueue(scheduler, 1);
        for (int i = 0; scheduler.Preemptions < 2; i++)
        {
            Assert.True(i < 10);
            Step(scheduler);
            scheduler.Check();
        }
        Assert.Equal((SequenceState.Running, SequenceState.Waiting, SequenceState.Waiting), (old.State, young.State, last.State));
        Assert.Equal(0, young.Computed);
        int tokens = young.Tokens.Length;
        scheduler.Remove(old);
        Assert.Equal((young, tokens, 1), Step(scheduler)[0]);
    }

    [Fact]
    public void Fill_FewLogitRows_GivesThemToDecodesAndSlicesTheScoring()
    {
        Scheduler scheduler = new(new EngineOptions { LogitRows = 4 }, new KvCapacity(64, 4));
        Sequence decoding = Enqueue(scheduler, 3);
        Step(scheduler);
        Sequence scored = new(Requests.Of(new int[9]) with { PromptLogprobs = 0 }, 64);
        scheduler.Enqueue(scored);

        Assert.Equal([(decoding, 1, 1), (scored, 3, 3)], Step(scheduler));
        Assert.Equal([(decoding, 1, 1), (scored, 3, 3)], Step(scheduler));
        Assert.Equal([(decoding, 1, 1), (scored, 3, 3)], Step(scheduler));
    }

    [Fact]
    public void Fill_ManyRequests_StartInTheOrderOfTheirArrival()
    {
        Scheduler scheduler = new(new EngineOptions { TokenBudget = 7, MaxRunning = 3 }, new KvCapacity(20, 2));
        List<Sequence> arrivals = [.. Enumerable.Range(0, 30).Select(i => Enqueue(scheduler, 1 + (i * 5 % 11)))];
        List<Sequence> starts = [];
        for (int steps = 0; scheduler.HasWork; steps++)
        {
            Assert.True(steps < 1000);
            foreach ((Sequence sequence, _, _) in Step(scheduler))
            {
                if (!starts.Contains(sequence)) starts.Add(sequence);
                if (sequence.GeneratedTokens == 3) scheduler.Remove(sequence);
            }
            scheduler.Check();
        }
        Assert.Equal(arrivals, starts);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Remove_InAnyState_FreesAllBlocks(int steps)
    {
        Scheduler scheduler = new(new EngineOptions { TokenBudget = 4, ReusePrefixes = false }, new KvCapacity(20, 2));
        Sequence sequence = Enqueue(scheduler, 10);
        for (int i = 0; i < steps; i++) Step(scheduler);
        scheduler.Remove(sequence);
        scheduler.Remove(sequence);

        Assert.False(scheduler.HasWork);
        Assert.Equal(20, scheduler.Pool.Free);
        Assert.Equal(0, scheduler.WaitingTokens);
    }

    private static Sequence Enqueue(Scheduler scheduler, int prompt, long scope = 0)
    {
        Sequence sequence = new(Requests.Of([.. Enumerable.Range(0, prompt)]) with { CacheScope = scope }, 64);
        scheduler.Enqueue(sequence);
        return sequence;
    }

    /// <summary>A step whose every last row yields token 1 or a score.</summary>
    private List<(Sequence Sequence, int Length, int LogitRows)> Step(Scheduler scheduler)
    {
        scheduler.Fill(_batch);
        List<(Sequence, int, int)> chunks = [];
        foreach (ScheduledChunk chunk in scheduler.Scheduled)
        {
            chunks.Add((chunk.Sequence, chunk.Length, chunk.LogitRows));
            scheduler.Commit(chunk.Sequence, chunk.Length);
            if (chunk.Sequence.Scores) chunk.Sequence.Scored = Math.Min(chunk.Sequence.Computed, chunk.Sequence.PromptTokens - 1);
            if (chunk.Sequence.Computed == chunk.Sequence.Target) chunk.Sequence.Append(1);
        }
        return chunks;
    }
}

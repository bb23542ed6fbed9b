using Serving.Inference.Sampling;

namespace Serving.Inference.Tests.Sampling;

public class SamplerTests
{
    public static TheoryData<float, float, int, float> Ways
    {
        get
        {
            TheoryData<float, float, int, float> ways = [];
            foreach (float temperature in (float[])[0.01f, 0.7f, 1, 2])
                foreach (float topP in (float[])[1, 0.95f, 0.5f, 0.001f])
                    foreach (int topK in (int[])[0, 1, 40, 5000])
                        foreach (float minP in (float[])[0, 0.05f, 1]) ways.Add(temperature, topP, topK, minP);
            return ways;
        }
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void Sample_AnyCuts_EqualsANaiveSamplerInDoublePrecision(float temperature, float topP, int topK, float minP)
    {
        foreach (int vocabulary in (int[])[3, 300, 4000])
        {
            Sampler sampler = new(vocabulary);
            foreach (float[] logits in (float[][])[Rows.Random(vocabulary, 5), Rows.Tied(vocabulary, 6)])
                for (int position = 0; position < 5; position++)
                {
                    SamplingOptions options = new(temperature, topP, topK, minP, 99);
                    Assert.Equal(Naive(logits, options, position), sampler.Sample(logits, options, position));
                }
        }
    }

    [Fact]
    public void Sample_Greedy_TakesTheLowestIdAmongEquals()
    {
        Sampler sampler = new(20);
        float[] logits = Rows.Tied(20, 1);
        (logits[7], logits[12]) = (50, 50);
        Assert.Equal(7, sampler.Sample(logits, SamplingOptions.Greedy, 0));
    }

    [Fact]
    public void Sample_SameSeedAndPosition_SameTokenWhateverCameBefore()
    {
        float[] logits = new float[1000];
        SamplingOptions options = new(1, 1, 0, 0, 42);
        Sampler used = new(1000);
        int[] forwards = [.. Enumerable.Range(0, 50).Select(position => used.Sample(logits, options, position))];
        int[] backwards = [.. Enumerable.Range(0, 50).Reverse().Select(position => new Sampler(1000).Sample(logits, options, position))];
        Assert.Equal(forwards, backwards.Reverse());
        Assert.True(forwards.Distinct().Count() > 40);
        Assert.NotEqual(forwards, Enumerable.Range(0, 50).Select(position => used.Sample(logits, options with { Seed = 43 }, position)));
    }

    [Fact]
    public void Sample_ManyDraws_FollowTheProbabilities()
    {
        float[] logits = [0, MathF.Log(2), MathF.Log(3), MathF.Log(4), float.NegativeInfinity];
        Sampler sampler = new(5);
        int[] counts = new int[5];
        for (int i = 0; i < 10_000; i++) counts[sampler.Sample(logits, new SamplingOptions(1, 1, 0, 0, 1), i)]++;
        for (int id = 0; id < 4; id++) Assert.InRange(counts[id], (id + 1) * 1000 - 150, (id + 1) * 1000 + 150);
        Assert.Equal(0, counts[4]);
    }

    [Fact]
    public void Sample_TokensBanned_AreNeverChosen()
    {
        float[] logits = new float[3000];
        Array.Fill(logits, float.NegativeInfinity);
        logits[1234] = -5;
        Sampler sampler = new(3000);
        foreach (float topP in (float[])[1, 0.9f])
            for (int i = 0; i < 100; i++) Assert.Equal(1234, sampler.Sample(logits, new SamplingOptions(1, topP, 0, 0, 3), i));
    }

    [Fact]
    public void Sample_LargestLogits_DoNotOverflow()
    {
        Sampler sampler = new(3);
        Assert.Equal(1, sampler.Sample([-3e38f, 3e38f, 0], new SamplingOptions(0.001f, 1, 0, 0, 3), 0));
    }

    [Fact]
    public void Sample_Repeatedly_AllocatesNothing()
    {
        float[] logits = Rows.Random(5000, 3);
        Sampler sampler = new(5000);
        SamplingOptions[] ways = [SamplingOptions.Greedy, new(1, 1, 0, 0, 1), new(1, 0.9f, 0, 0, 1), new(1, 0.9f, 30, 0.01f, 1)];
        foreach (SamplingOptions way in ways) sampler.Sample(logits, way, 0);
        long before = GC.GetAllocatedBytesForCurrentThread();
        foreach (SamplingOptions way in ways) sampler.Sample(logits, way, 1);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    private static int Naive(float[] logits, SamplingOptions options, int position)
    {
        double max = logits.Max();
        List<(int Id, double Weight)> kept = [.. logits
            .Select((logit, id) => (Id: id, Logit: logit, Weight: Math.Exp((logit - max) / options.Temperature)))
            .Where(token => token.Weight >= options.MinP && token.Weight > 1e-37)
            .OrderByDescending(token => token.Logit).ThenBy(token => token.Id)
            .Select(token => (token.Id, token.Weight))];
        if (options.TopK > 0) kept = [.. kept.Take(options.TopK)];
        if (options.TopP < 1)
        {
            double wanted = kept.Sum(token => token.Weight) * options.TopP;
            int count = 0;
            for (double reached = 0; reached < wanted && count < kept.Count; count++) reached += kept[count].Weight;
            kept = [.. kept.Take(Math.Max(count, 1))];
        }
        if (options is { TopP: 1, TopK: 0 }) kept = [.. kept.OrderBy(token => token.Id)];
        double target = Philox.NextDouble(options.Seed, (ulong)position) * kept.Sum(token => token.Weight);
        foreach ((int id, double weight) in kept)
        {
            target -= weight;
            if (target < 0) return id;
        }
        return kept[^1].Id;
    }
}

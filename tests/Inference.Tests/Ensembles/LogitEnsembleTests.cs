using Serving.Inference.Cpu;
using Serving.Inference.Ensembles;
using Serving.Inference.Tests.Cpu;

namespace Serving.Inference.Tests.Ensembles;

public sealed class LogitEnsembleTests
{
    [Theory]
    [InlineData(EnsembleRule.Logits, new[] { 0 }, new[] { 3.0 })]
    [InlineData(EnsembleRule.Logits, new[] { 0, 0, 0 }, new[] { 1.0, 1, 1 })]
    [InlineData(EnsembleRule.Logits, new[] { 0, 0, 0 }, new[] { 0.7, 2, 0.1 })]
    [InlineData(EnsembleRule.Logits, new[] { 0, 1, 2 }, new[] { 1.0, 0, 0 })]
    [InlineData(EnsembleRule.Logits, new[] { 1, 2, 0 }, new[] { 0, 0, 0.1 })]
    [InlineData(EnsembleRule.Probabilities, new[] { 0 }, new[] { 3.0 })]
    [InlineData(EnsembleRule.Probabilities, new[] { 0, 0, 0 }, new[] { 1.0, 1, 1 })]
    [InlineData(EnsembleRule.Probabilities, new[] { 0, 0, 0 }, new[] { 0.7, 2, 0.1 })]
    [InlineData(EnsembleRule.Probabilities, new[] { 0, 1, 2 }, new[] { 1.0, 0, 0 })]
    public void Forward_OneExpertInEffect_GivesItsBits(EnsembleRule rule, int[] seeds, double[] weights)
    {
        using CpuBackend expert = Experts.Create();
        using LogitEnsemble ensemble = Experts.Average(seeds, weights, rule);
        int[] tokens = Experts.Tokens(1, 40);
        Experts.AssertSameBits(Experts.Run(expert, tokens), Experts.Run(ensemble, tokens));
    }

    [Theory]
    [InlineData(new[] { 1.0, 1, 1 })]
    [InlineData(new[] { 5, 0.5, 0.01 })]
    public void Forward_Logits_IsTheWeightedMeanInDoublePrecision(double[] weights)
    {
        int[] seeds = [0, 1, 2], tokens = Experts.Tokens(2, 30);
        using LogitEnsemble ensemble = Experts.Average(seeds, weights, EnsembleRule.Logits);
        float[][] actual = Experts.Run(ensemble, tokens);
        float[][][] members = [.. seeds.Select(seed => RunAlone(seed, tokens))];
        for (int row = 0; row < tokens.Length; row++)
        {
            for (int i = 0; i < 256; i++)
            {
                double mean = members.Select((member, m) => weights[m] * member[row][i]).Sum() / weights.Sum();
                Assert.Equal(mean, actual[row][i], 1e-6);
            }
        }
    }

    [Theory]
    [InlineData(new[] { 1.0, 1, 1 })]
    [InlineData(new[] { 5, 0.5, 0.01 })]
    [InlineData(new[] { 1e-12, 1, 1 })]
    public void Forward_Probabilities_IsTheWeightedMeanInDoublePrecision(double[] weights)
    {
        int[] seeds = [0, 1, 2], tokens = Experts.Tokens(3, 30);
        using LogitEnsemble ensemble = Experts.Average(seeds, weights, EnsembleRule.Probabilities);
        double[][] actual = [.. Experts.Run(ensemble, tokens).Select(Softmax)];
        double[][][] members = [.. seeds.Select(seed => RunAlone(seed, tokens).Select(Softmax).ToArray())];
        for (int row = 0; row < tokens.Length; row++)
        {
            for (int i = 0; i < 256; i++)
            {
                double mean = members.Select((member, m) => weights[m] * member[row][i]).Sum() / weights.Sum();
                Assert.Equal(1, actual[row][i] / mean, 1e-5);
            }
        }
    }

    // 5 and 11 logits fit no vector; 200 apart, no float holds the smaller probability.
    [Theory]
    [InlineData(EnsembleRule.Logits, 5)]
    [InlineData(EnsembleRule.Probabilities, 5)]
    [InlineData(EnsembleRule.Logits, 11)]
    [InlineData(EnsembleRule.Probabilities, 11)]
    public void Forward_AnyVocabulary_AveragesEveryToken(EnsembleRule rule, int vocabulary)
    {
        for (int token = 0; token < vocabulary; token++)
        {
            using var ensemble = new LogitEnsemble(
                [new("up", new FixedBackend(vocabulary) { [token] = 100 }), new("down", new FixedBackend(vocabulary) { [token] = -100 }, 3)], rule);
            var batch = new ForwardBatch();
            batch.Add([1], 0, [0], 1);
            float[] logits = Sequence.Forward(ensemble, batch)[0];
            // Probabilities: 1 and nothing; nothing and 1/(n-1) for each of the others.
            double others = rule == EnsembleRule.Logits ? 0 : Math.Log(0.75 / (vocabulary - 1));
            double chosen = rule == EnsembleRule.Logits ? -50 : Math.Log(0.25);
            Assert.All(logits.Index(), pair => Assert.Equal((pair.Index == token ? chosen : others) - others, pair.Item - logits[(token + 1) % vocabulary], 1e-4));
        }
    }

    [Theory]
    [InlineData(EnsembleRule.Logits)]
    [InlineData(EnsembleRule.Probabilities)]
    public void Forward_MixedBatches_SameBitsAsAlone(EnsembleRule rule)
    {
        int[] lengths = [40, 1, 17, 48];
        using LogitEnsemble ensemble = Experts.Average([0, 1, 2], [1, 2, 3], rule);
        float[][][] alone = [.. lengths.Select((length, s) => Experts.Run(ensemble, Experts.Tokens(s, length)))];
        var random = new Random(5);
        Sequence[] sequences = [.. lengths.Select((_, s) => new Sequence(ensemble, Enumerable.Range(3 * s, 3)))];
        List<float[]>[] together = [.. lengths.Select(_ => new List<float[]>())];
        var batch = new ForwardBatch();
        while (sequences.Where((sequence, s) => sequence.Position < lengths[s]).Any())
        {
            batch.Clear();
            var order = new List<int>();
            for (int s = 0; s < lengths.Length; s++)
            {
                int count = Math.Min(random.Next(12), lengths[s] - sequences[s].Position);
                if (count == 0)
                    continue;
                sequences[s].AddTo(batch, Experts.Tokens(s, lengths[s]).AsSpan(sequences[s].Position, count), count);
                order.AddRange(Enumerable.Repeat(s, count));
            }
            float[][] logits = Sequence.Forward(ensemble, batch);
            for (int row = 0; row < logits.Length; row++)
                together[order[row]].Add(logits[row]);
        }
        for (int s = 0; s < lengths.Length; s++)
            Experts.AssertSameBits(alone[s], [.. together[s]]);
    }

    [Theory]
    [InlineData(EnsembleRule.Logits)]
    [InlineData(EnsembleRule.Probabilities)]
    public void Forward_DecodeStepsAfterWarmUp_AllocateNothing(EnsembleRule rule)
    {
        using LogitEnsemble ensemble = Experts.Average([0, 1], [1, 1], rule);
        var logits = new float[ensemble.Shape.VocabularySize];
        var batch = new ForwardBatch();
        List<int> blocks = [0, 1, 2];
        // Other tests compute on the same threads, and whoever waits for a turn may allocate: one quiet step is proof.
        var allocated = new List<long>();
        for (int position = 0; position < 48; position++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            batch.Clear();
            batch.Add([position], position, blocks, 1);
            ensemble.Forward(batch, logits);
            allocated.Add(GC.GetAllocatedBytesForCurrentThread() - before);
        }
        Assert.Contains(0, allocated.Skip(40));
    }

    [Theory]
    [InlineData(float.NaN, 0)]
    [InlineData(float.PositiveInfinity, 255)]
    [InlineData(float.NegativeInfinity, 299)]
    public void Forward_NonFiniteMember_IsNamed(float value, int place)
    {
        var ill = new FixedBackend(300) { [place] = value };
        using var ensemble = new LogitEnsemble([new("well", new FixedBackend(300)), new("ill", ill)]);
        var batch = new ForwardBatch();
        batch.Add([1], 0, [0], 1);
        ensemble.Forward(batch, new float[300]);
        var fault = Assert.IsType<MemberFaultException>(ensemble.FaultOf(0));
        Assert.Equal("ill", fault.MemberId);
        Assert.Contains("'ill'", fault.Message);
    }

    [Fact]
    public void Forward_MemberIllOnOneRow_LeavesTheOthers()
    {
        using var ensemble = new LogitEnsemble([new("well", new FixedBackend(300)), new("touchy", new FixedBackend(300) { IllToken = 7 })]);
        var batch = new ForwardBatch();
        batch.Add([1, 7, 2], 0, [0], 3);
        ensemble.Forward(batch, new float[900]);
        Assert.Equal([false, true, false], Enumerable.Range(0, 3).Select(row => ensemble.FaultOf(row) is not null));
        batch.Clear();
        batch.Add([1], 0, [0], 1);
        ensemble.Forward(batch, new float[300]);
        Assert.Null(ensemble.FaultOf(0));
    }

    [Fact]
    public void Forward_ChunksWithBlendsOfTheirOwn_AnswerAsEnsemblesOfTheseWeights()
    {
        int[] tokens = Experts.Tokens(5, 12);
        (double[] Weights, EnsembleRule Rule)[] blends = [([1, 1, 1], EnsembleRule.Logits), ([3, 1, 0.1], EnsembleRule.Probabilities), ([0.2, 5, 2], EnsembleRule.Logits)];
        using LogitEnsemble shared = Experts.Average([0, 1, 2], [1, 2, 3], EnsembleRule.Logits);
        var batch = new ForwardBatch();
        for (int i = 0; i < blends.Length; i++)
            batch.Add(tokens, 0, [i], tokens.Length, blend: new Blend(blends[i].Weights, blends[i].Rule));
        float[][] together = Sequence.Forward(shared, batch);
        for (int i = 0; i < blends.Length; i++)
        {
            using LogitEnsemble alone = Experts.Average([0, 1, 2], blends[i].Weights, blends[i].Rule);
            Experts.AssertSameBits(Experts.Run(alone, tokens), together[(i * tokens.Length)..((i + 1) * tokens.Length)]);
        }
    }

    [Fact]
    public void Forward_BlendOfAnotherNumberOfExperts_IsRefused()
    {
        using LogitEnsemble ensemble = Experts.Average([0, 1], [1, 1], EnsembleRule.Logits);
        var batch = new ForwardBatch();
        batch.Add([1], 0, [0], 1, blend: new Blend([1, 1, 1], EnsembleRule.Logits));
        Assert.Throws<ArgumentException>(() => ensemble.Forward(batch, new float[256]));
    }

    [Fact]
    public void Attribute_ChosenToken_TellsEachExpertsThoughts()
    {
        int[] seeds = [0, 1, 2], tokens = Experts.Tokens(6, 9);
        double[] weights = [1, 2, 5];
        using LogitEnsemble ensemble = Experts.Average(seeds, weights, EnsembleRule.Logits);
        _ = Experts.Run(ensemble, tokens, chunk: 9);
        ExpertAttribution attribution = ensemble.Attribute(row: 8, token: 42, blend: null);
        double[][] members = [.. seeds.Select(seed => Softmax(RunAlone(seed, tokens)[8]))];
        double disagreement = 0;
        for (int i = 0; i < 256; i++)
        {
            double mixture = members.Select((member, m) => weights[m] / 8 * member[i]).Sum();
            disagreement += members.Select((member, m) => weights[m] / 8 * member[i] * Math.Log(member[i] / mixture)).Sum();
        }
        Assert.All(members.Index(), pair => Assert.Equal(Math.Log(pair.Item[42]), attribution.Logprobs[pair.Index], 1e-5));
        Assert.Equal(members.Select(member => Array.IndexOf(member, member.Max())), attribution.FirstChoices);
        Assert.Equal(disagreement, attribution.Disagreement, 1e-6);
        Assert.True(disagreement > 1e-4);
    }

    [Fact]
    public void Forward_WeightZero_NeverRunsAndDoesNotLimit()
    {
        var idle = new FixedBackend(256, blocks: 1) { [7] = float.NaN };
        using var ensemble = new LogitEnsemble([new("idle", idle, 0), new("expert", Experts.Create())]);
        Experts.Run(ensemble, Experts.Tokens(4, 20));
        Assert.Equal(0, idle.Passes);
        Assert.Equal((48, Experts.KvBlocks), (ensemble.Shape.ContextTokens, ensemble.Kv.Blocks));
    }

    [Fact]
    public void Shape_DifferentMembers_TakesTheSmallest()
    {
        using var ensemble = new LogitEnsemble(
            [new("long", new FixedBackend(256, context: 64, blocks: 10)), new("short", new FixedBackend(256, context: 32, blocks: 20))]);
        Assert.Equal(new ModelShape(256, 32), ensemble.Shape);
        Assert.Equal(new KvCapacity(10, 16), ensemble.Kv);
    }

    [Fact]
    public void Create_MembersThatDoNotFit_AreRefused()
    {
        Assert.Contains("'b' has 8", Refusal(new("a", new FixedBackend(9)), new("b", new FixedBackend(8))));
        Assert.Contains("of 'b' 8", Refusal(new("a", new FixedBackend(9)), new("b", new FixedBackend(9, blockTokens: 8))));
        Assert.Contains("'a' is -1", Refusal(new EnsembleMember("a", new FixedBackend(9), -1)));
        Assert.Contains("'a' is NaN", Refusal(new EnsembleMember("a", new FixedBackend(9), double.NaN)));
        Assert.Contains("none of 1", Refusal(new EnsembleMember("a", new FixedBackend(9), 0)));
        Assert.Contains("none of 0", Refusal());
    }

    // The checkpoint holds two experts; the reference implementation averages their logits.
    [Fact]
    public void Forward_FusedCheckpointTakenApart_GivesTheReferencesMean()
    {
        using var parts = new ExpertsOfFusedCheckpoint();
        using LogitEnsemble ensemble = new([new("0", parts.Create(0)), new("1", parts.Create(1))]);
        foreach (GoldenCheckpoint.Case expected in GoldenCheckpoint.Cases("moe"))
        {
            float[][] logits = Experts.Run(ensemble, expected.Ids, 5);
            Assert.All(expected.LastLogits.Zip(logits[^1]), pair => Assert.Equal(pair.First, pair.Second, 1e-4f));
            for (int i = 1; i < expected.Ids.Length; i++)
                Assert.Equal(expected.PromptLogprobs[i]!.Value, Math.Log(Softmax(logits[i - 1])[expected.Ids[i]]), 1e-4);
        }
    }

    private static string Refusal(params EnsembleMember[] members) =>
        Assert.Throws<ArgumentException>(() => new LogitEnsemble(members)).Message;

    private static float[][] RunAlone(int seed, int[] tokens)
    {
        using CpuBackend expert = Experts.Create(seed);
        return Experts.Run(expert, tokens);
    }

    private static double[] Softmax(float[] logits)
    {
        double sum = logits.Sum(logit => Math.Exp(logit));
        return [.. logits.Select(logit => Math.Exp(logit) / sum)];
    }
}

using Serving.Inference.Devices;
using Serving.Inference.Ensembles;
using Serving.Inference.Tests.Cpu;
using Serving.Inference.Tests.Ensembles;

namespace Serving.Inference.Tests.Devices;

/// <summary>Experts that answer as one, on every device, against their mean in double precision.</summary>
public sealed class EnsembleTests
{
    public static TheoryData<string, EnsembleRule> Rules()
    {
        var rules = new TheoryData<string, EnsembleRule>();
        foreach (string device in new[] { TestDevices.Cpu, TestDevices.TorchCpu, TestDevices.Cuda })
        {
            rules.Add(device, EnsembleRule.Logits);
            rules.Add(device, EnsembleRule.Probabilities);
        }
        return rules;
    }

    [Theory]
    [MemberData(nameof(Rules))]
    public void Forward_CopiesOfOneExpert_GiveItsBits(string device, EnsembleRule rule)
    {
        IDevice opened = TestDevices.Open(device);
        using IBackend expert = DeviceExperts.Create(opened), ensemble = DeviceExperts.Average(opened, [0, 0, 0], [0.7, 2, 0.1], rule);
        int[] tokens = Experts.Tokens(1, 40);
        Experts.AssertSameBits(Experts.Run(expert, tokens), Experts.Run(ensemble, tokens));
    }

    [Theory]
    [MemberData(nameof(Rules))]
    public void Forward_ThreeExperts_GivesTheirWeightedMean(string device, EnsembleRule rule)
    {
        IDevice opened = TestDevices.Open(device);
        int[] seeds = [0, 1, 2], tokens = Experts.Tokens(2, 30);
        double[] weights = [5, 0.5, 1];
        using IBackend ensemble = DeviceExperts.Average(opened, seeds, weights, rule);
        AssertMean(opened, seeds, weights, rule, tokens, Experts.Run(ensemble, tokens));
    }

    [Theory]
    [MemberData(nameof(TestDevices.All), MemberType = typeof(TestDevices))]
    public void Forward_ChunksWithBlendsOfTheirOwn_EachGetsItsMean(string device)
    {
        IDevice opened = TestDevices.Open(device);
        int[] seeds = [0, 1], tokens = Experts.Tokens(4, 12);
        using IBackend ensemble = DeviceExperts.Average(opened, seeds, [1, 1], EnsembleRule.Logits);
        var batch = new ForwardBatch();
        batch.Add(tokens, 0, [3], 12, blend: new Blend([1, 9], EnsembleRule.Probabilities));
        batch.Add(tokens, 0, [5], 12, blend: new Blend([9, 1], EnsembleRule.Logits));
        float[][] rows = Sequence.Forward(ensemble, batch);
        AssertMean(opened, seeds, [1, 9], EnsembleRule.Probabilities, tokens, rows[..12]);
        AssertMean(opened, seeds, [9, 1], EnsembleRule.Logits, tokens, rows[12..]);
        batch.Clear();
        batch.Add(tokens, 0, [3], 1, blend: new Blend([1, 9, 4], EnsembleRule.Logits));
        Assert.Throws<ArgumentException>(() => Sequence.Forward(ensemble, batch));
    }

    [Theory]
    [MemberData(nameof(TestDevices.All), MemberType = typeof(TestDevices))]
    public void Attribute_ARow_TellsWhatEachExpertThought(string device)
    {
        using IEnsembleBackend ensemble = DeviceExperts.Average(TestDevices.Open(device), [0, 1, 2], [1, 2, 3], EnsembleRule.Logits);
        using LogitEnsemble reference = Experts.Average([0, 1, 2], [1, 2, 3], EnsembleRule.Logits);
        int[] tokens = Experts.Tokens(5, 9);
        Experts.Run(ensemble, tokens, 64);
        Experts.Run(reference, tokens, 64);
        ExpertAttribution expected = reference.Attribute(7, 42, null), actual = ensemble.Attribute(7, 42, null);
        Assert.Equal(expected.FirstChoices, actual.FirstChoices);
        Assert.Equal(expected.Disagreement, actual.Disagreement, 1e-4);
        Assert.All(expected.Logprobs.Zip(actual.Logprobs), pair => Assert.Equal(pair.First, pair.Second, 1e-4f));
    }

    [Theory]
    [MemberData(nameof(TestDevices.All), MemberType = typeof(TestDevices))]
    public void Forward_MemberThatBreaks_IsAFaultOfItsRowAlone(string device)
    {
        IDevice opened = TestDevices.Open(device);
        using IEnsembleBackend ensemble = LogitEnsemble.Of(
        [
            new("whole", DeviceExperts.Create(opened, BrokenExperts.Create(seed: 1, brokenToken: null))),
            new("broken", DeviceExperts.Create(opened, BrokenExperts.Create(seed: 2, brokenToken: 17))),
        ]);
        var batch = new ForwardBatch();
        batch.Add([1, 2], 0, [0], 1);
        batch.Add([17, 2], 0, [1], 1);
        batch.Add([3], 0, [2], 1);
        float[][] rows = Sequence.Forward(ensemble, batch);
        Assert.Equal("broken", Assert.IsType<MemberFaultException>(ensemble.FaultOf(1)).MemberId);
        Assert.Null(ensemble.FaultOf(0));
        Assert.Null(ensemble.FaultOf(2));
        Assert.All(rows[0].Concat(rows[2]), logit => Assert.True(float.IsFinite(logit)));
    }

    private static void AssertMean(
        IDevice device, int[] seeds, double[] weights, EnsembleRule rule, int[] tokens, float[][] actual)
    {
        float[][][] members = [.. seeds.Select(seed => RunAlone(device, seed, tokens))];
        for (int row = 0; row < tokens.Length; row++)
        {
            double[][] logprobs = [.. members.Select(member => LogSoftmax(member[row])), LogSoftmax(actual[row])];
            for (int i = 0; i < actual[row].Length; i++)
            {
                double expected = rule == EnsembleRule.Logits
                    ? seeds.Index().Sum(seed => weights[seed.Index] * members[seed.Index][row][i]) / weights.Sum()
                    : Math.Log(seeds.Index().Sum(seed => weights[seed.Index] * Math.Exp(logprobs[seed.Index][i])) / weights.Sum());
                Assert.Equal(expected, rule == EnsembleRule.Logits ? actual[row][i] : logprobs[^1][i], 1e-4);
            }
        }
    }

    private static float[][] RunAlone(IDevice device, int seed, int[] tokens)
    {
        using IBackend expert = DeviceExperts.Create(device, seed);
        return Experts.Run(expert, tokens);
    }

    private static double[] LogSoftmax(float[] logits)
    {
        double max = logits.Max(), sum = Math.Log(logits.Sum(logit => Math.Exp(logit - max)));
        return [.. logits.Select(logit => logit - max - sum)];
    }
}

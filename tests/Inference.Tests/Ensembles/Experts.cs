using System.Runtime.InteropServices;
using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu;
using Serving.Inference.Ensembles;
using Serving.Inference.Tests.Cpu;

namespace Serving.Inference.Tests.Ensembles;

/// <summary>Small experts on one vocabulary: a golden checkpoint, and copies of it that were changed.</summary>
internal static class Experts
{
    public const int KvBlocks = 24;

    /// <summary>The golden checkpoint "plain"; another <paramref name="seed"/> than 0 gives it another head.</summary>
    public static CpuBackend Create(int seed = 0)
    {
        using LoadedModel model = GoldenCheckpoint.Load("plain");
        return new CpuBackend(Weights(model, seed), new CpuOptions { Threads = 2, KvBlocks = KvBlocks });
    }

    /// <summary>A checkpoint's weights; another <paramref name="seed"/> than 0 gives them another head.</summary>
    public static TransformerWeights Weights(LoadedModel model, int seed) =>
        seed == 0 ? model.Weights : model.Weights with { Head = Changed(model.Weights.Head, seed) };

    /// <summary>An ensemble of experts by their seeds.</summary>
    public static LogitEnsemble Average(int[] seeds, double[] weights, EnsembleRule rule) => new(
        [.. seeds.Zip(weights, (seed, weight) => new EnsembleMember($"expert-{seed}", Create(seed), weight))], rule);

    public static int[] Tokens(int seed, int count)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(256))];
    }

    public static float[][] Run(IBackend backend, int[] tokens, int chunk = 16) =>
        new Sequence(backend, [5, 0, 7]).Run(tokens, chunk);

    public static void AssertSameBits(float[][] expected, float[][] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int row = 0; row < expected.Length; row++)
            Assert.Equal(MemoryMarshal.AsBytes(expected[row].AsSpan()), MemoryMarshal.AsBytes(actual[row].AsSpan()));
    }

    private static LinearWeights Changed(LinearWeights head, int seed)
    {
        var random = new Random(seed);
        float[] values = head.Weight.ToFloats();
        for (int i = 0; i < values.Length; i++)
            values[i] += 0.5f * (random.NextSingle() - 0.5f);
        return head with { Weight = Tensor.InMemory("head", values, [.. head.Weight.Shape]) };
    }
}

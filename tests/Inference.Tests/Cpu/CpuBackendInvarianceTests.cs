using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu;
using Serving.Inference.Cpu.Kernels;

namespace Serving.Inference.Tests.Cpu;

/// <summary>A row's logits are the same bits alone, in any batch, in any chunks, with any number of threads.</summary>
public sealed class CpuBackendInvarianceTests
{
    private const int Blocks = 60;
    private static readonly int[] Lengths = [150, 1, 37, 16, 64];

    public static TheoryData<string, DType> Variants()
    {
        var variants = new TheoryData<string, DType>();
        foreach (KernelSet kernels in KernelSet.Available)
        {
            variants.Add(kernels.Name, DType.F32);
            variants.Add(kernels.Name, DType.BF16);
        }

        return variants;
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void Forward_AnyChunkAndThreads_SameBits(string kernels, DType type)
    {
        TransformerWeights weights = RandomModel.Create(type);
        int[] tokens = Tokens(0);
        using CpuBackend one = Create(weights, kernels, threads: 1);
        float[][] expected = new Sequence(one, Enumerable.Range(0, 10)).Run(tokens, 1);
        using CpuBackend two = Create(weights, kernels, threads: 2);
        foreach (int chunk in (int[])[2, 7, 16, 101, 150])
            AssertSameBits(expected, new Sequence(two, Scattered(chunk).Take(10)).Run(tokens, chunk));
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void Forward_MixedBatches_SameBitsAsAlone(string kernels, DType type)
    {
        TransformerWeights weights = RandomModel.Create(type);
        using CpuBackend backend = Create(weights, kernels, threads: 2);
        float[][][] alone = [.. Lengths.Select((_, s) => new Sequence(backend, Scattered(s).Take(10)).Run(Tokens(s), 16))];
        var random = new Random(5);
        for (int round = 0; round < 3; round++)
        {
            float[][][] together = RunTogether(backend, random);
            for (int s = 0; s < Lengths.Length; s++)
                AssertSameBits(alone[s], together[s]);
        }
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    public void Forward_OtherInstructions_SameBits(DType type)
    {
        Assert.SkipUnless(Fma.IsSupported, "The portable kernels need a fused multiply-add for this.");
        TransformerWeights weights = RandomModel.Create(type);
        float[][]? expected = null;
        foreach (KernelSet kernels in KernelSet.Available)
        {
            using CpuBackend backend = Create(weights, kernels.Name, threads: 1);
            float[][] actual = new Sequence(backend, Scattered(1).Take(10)).Run(Tokens(0), 33);
            AssertSameBits(expected ??= actual, actual);
        }
    }

    [Fact]
    public void Forward_FewerLogitRowsThanTokens_GivesTheLastOnes()
    {
        using CpuBackend backend = Create(RandomModel.Create(DType.F32), KernelSet.Best.Name, threads: 1);
        float[][] expected = new Sequence(backend, Enumerable.Range(0, 10)).Run(Tokens(2), 37);
        var batch = new ForwardBatch();
        new Sequence(backend, Enumerable.Range(10, 10)).AddTo(batch, Tokens(2), 3);
        new Sequence(backend, Enumerable.Range(20, 10)).AddTo(batch, Tokens(2), 0);
        new Sequence(backend, Enumerable.Range(30, 10)).AddTo(batch, Tokens(2), 1);
        AssertSameBits([.. expected[^3..], expected[^1]], Sequence.Forward(backend, batch));
    }

    // Random pieces of every sequence, in random order, until all are through.
    private static float[][][] RunTogether(CpuBackend backend, Random random)
    {
        int[] blocks = Scattered(random.Next());
        Sequence[] sequences = [.. Lengths.Select((_, s) => new Sequence(backend, blocks.Skip(10 * s).Take(10)))];
        List<float[]>[] rows = [.. Lengths.Select(_ => new List<float[]>())];
        var batch = new ForwardBatch();
        while (sequences.Select((sequence, s) => Lengths[s] - sequence.Position).Any(left => left > 0))
        {
            batch.Clear();
            var order = new List<int>();
            foreach (int s in Enumerable.Range(0, Lengths.Length).OrderBy(_ => random.Next()))
            {
                int count = Math.Min(random.Next(70), Lengths[s] - sequences[s].Position);
                if (count == 0)
                    continue;
                sequences[s].AddTo(batch, Tokens(s).AsSpan(sequences[s].Position, count), count);
                order.AddRange(Enumerable.Repeat(s, count));
            }

            float[][] logits = Sequence.Forward(backend, batch);
            for (int row = 0; row < logits.Length; row++)
                rows[order[row]].Add(logits[row]);
        }

        return [.. rows.Select(row => row.ToArray())];
    }

    private static CpuBackend Create(TransformerWeights weights, string kernels, int threads) => new(weights,
        new CpuOptions { Threads = threads, KvBlocks = Blocks, Kernels = KernelSet.Available.Single(set => set.Name == kernels) });

    private static int[] Tokens(int sequence)
    {
        var random = new Random(100 + sequence);
        return [.. Enumerable.Range(0, Lengths[sequence]).Select(_ => random.Next(333))];
    }

    private static int[] Scattered(int seed)
    {
        int[] blocks = [.. Enumerable.Range(0, Blocks)];
        new Random(seed).Shuffle(blocks);
        return blocks;
    }

    private static void AssertSameBits(float[][] expected, float[][] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int row = 0; row < expected.Length; row++)
        {
            Assert.True(actual[row].All(float.IsFinite));
            Assert.Equal(MemoryMarshal.AsBytes(expected[row].AsSpan()), MemoryMarshal.AsBytes(actual[row].AsSpan()));
        }
    }
}

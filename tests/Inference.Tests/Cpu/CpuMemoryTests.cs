using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu;

namespace Serving.Inference.Tests.Cpu;

public sealed class CpuMemoryTests
{
    [Theory]
    [InlineData("plain", Quantization.None)]
    [InlineData("plain", Quantization.EightBits)]
    [InlineData("bf16", Quantization.None)]
    [InlineData("fused", Quantization.None)]
    [InlineData("narrow", Quantization.None)]
    public void Of_Model_IsWhatThePackedMatricesAndTheTableHold(string variant, Quantization quantization)
    {
        using LoadedModel model = GoldenCheckpoint.Load(variant);
        using var packed = new PackedModel(model.Weights, quantization, WorkerPool.OfSize(1));
        IEnumerable<PackedMatrix> matrices = packed.Blocks
            .SelectMany(block => new[] { block.QueryKeyValue, block.Output, block.Up, block.Down }).Append(packed.Head);
        CpuMemory memory = CpuMemory.Of(model.Weights, quantization);
        Assert.Equal(matrices.Sum(matrix => matrix.Bytes) + model.Table.Bytes, memory.WeightBytes);
        // Sixteen tokens' keys and values in all layers: for each a scale and numbers of two bytes.
        Assert.Equal(2L * packed.Blocks.Length * packed.Heads * 16 * (4 + (2 * packed.HeadStride)), memory.BlockBytes);
        Assert.Equal(3, memory.BlocksPerSequence);
    }

    [Theory]
    [InlineData(48, 8 * 3)]
    [InlineData(1024, 8 * 64)]
    [InlineData(32_768, 65_536 / 16)]
    [InlineData(1 << 20, (1 << 20) / 16)]
    public void DefaultBlocks_OfAContext_AreEightOfItUntilOneIsMuch(int contextTokens, int blocks) =>
        Assert.Equal(blocks, CpuMemory.DefaultBlocks(contextTokens));

    // A config.json can claim a context that no file is large enough for.
    [Fact]
    public void Of_ClaimedContextOfAMillion_IsPlannedAndTakenOnlyWhenReached()
    {
        using LoadedModel model = GoldenCheckpoint.Load("plain");
        TransformerWeights weights = model.Weights with { ContextTokens = 1 << 20 };
        long before = Environment.WorkingSet;
        using var backend = new CpuBackend(weights);
        var sequence = new Sequence(backend, [5, 0, 7]);
        Assert.Equal(sequence.Run([3, 4, 5], 3)[^1], new Sequence(new CpuBackend(model.Weights), [5, 0, 7]).Run([3, 4, 5], 3)[^1]);
        Assert.InRange(Environment.WorkingSet - before, long.MinValue, 64 << 20);
    }
}

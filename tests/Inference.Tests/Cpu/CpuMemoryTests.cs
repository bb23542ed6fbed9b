using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu;

namespace Serving.Inference.Tests.Cpu;

public sealed class CpuMemoryTests
{
    [Theory]
    [InlineData("plain")]
    [InlineData("bf16")]
    [InlineData("fused")]
    [InlineData("narrow")]
    public void Of_Model_IsWhatThePackedMatricesAndTheTableHold(string variant)
    {
        using LoadedModel model = GoldenCheckpoint.Load(variant);
        using var packed = new PackedModel(model.Weights, WorkerPool.OfSize(1));
        IEnumerable<PackedMatrix> matrices = packed.Blocks
            .SelectMany(block => new[] { block.QueryKeyValue, block.Output, block.Up, block.Down }).Append(packed.Head);
        CpuMemory memory = CpuMemory.Of(model.Weights);
        Assert.Equal(matrices.Sum(matrix => matrix.Bytes) + (model.Table.Values.Length * 4L), memory.WeightBytes);
        Assert.Equal(2L * packed.Blocks.Length * packed.Heads * packed.HeadStride * 16 * 4, memory.BlockBytes);
        Assert.Equal(3, memory.BlocksPerSequence);
    }
}

using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu;

namespace Serving.Inference.Tests.Cpu;

public sealed class CpuMemoryTests
{
    [Theory]
    [InlineData("plain", Quantization.None, 4)]
    [InlineData("plain", Quantization.EightBits, 2)]
    [InlineData("bf16", Quantization.None, 4)]
    [InlineData("fused", Quantization.None, 4)]
    [InlineData("narrow", Quantization.None, 4)]
    public void Of_Model_IsWhatThePackedMatricesAndTheTableHold(string variant, Quantization quantization, int kvBytes)
    {
        using LoadedModel model = GoldenCheckpoint.Load(variant);
        using var packed = new PackedModel(model.Weights, quantization, WorkerPool.OfSize(1));
        IEnumerable<PackedMatrix> matrices = packed.Blocks
            .SelectMany(block => new[] { block.QueryKeyValue, block.Output, block.Up, block.Down }).Append(packed.Head);
        CpuMemory memory = CpuMemory.Of(model.Weights, quantization);
        Assert.Equal(matrices.Sum(matrix => matrix.Bytes) + (model.Table.Values.Length * 4L), memory.WeightBytes);
        Assert.Equal(2L * packed.Blocks.Length * packed.Heads * packed.HeadStride * 16 * kvBytes, memory.BlockBytes);
        Assert.Equal(3, memory.BlocksPerSequence);
    }
}

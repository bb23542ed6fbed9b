using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu.Kernels;

namespace Serving.Inference.Cpu;

/// <summary>The memory that a <see cref="CpuBackend"/> of a model takes, told before it is built.</summary>
/// <param name="WeightBytes">Packed matrices and the table; norms and rotary angles are too small to count.</param>
/// <param name="BlockBytes">Keys and values of a block of <see cref="BlockTokens"/> tokens, in all layers.</param>
/// <param name="BlocksPerSequence">Blocks of a sequence that fills the context.</param>
public readonly record struct CpuMemory(long WeightBytes, long BlockBytes, int BlocksPerSequence)
{
    /// <summary>Tokens of a K/V block.</summary>
    public const int BlockTokens = KvStore.BlockTokens;

    /// <summary>Of a checkpoint of one expert or several, which hold equal tables once.</summary>
    public static CpuMemory Of(LoadedModel model)
    {
        CpuMemory[] experts = [.. model.Experts.Select(Of)];
        long tables = model.Experts.Sum(TableBytes) - model.Experts.DistinctBy(expert => expert.Table).Sum(TableBytes);
        return experts[0] with
        {
            WeightBytes = experts.Sum(expert => expert.WeightBytes) - tables,
            BlockBytes = experts.Sum(expert => expert.BlockBytes),
        };
    }

    /// <summary>Estimates from shapes; reads no values.</summary>
    public static CpuMemory Of(TransformerWeights weights)
    {
        long stride = (long)weights.Heads * Lanes.RoundUp(weights.HeadSize);
        long matrices = weights.Blocks.Sum(block => BlockOf(block, stride)) + MatrixOf(weights.Head);
        return new CpuMemory(
            matrices + TableBytes(weights),
            2 * weights.Blocks.Count * stride * BlockTokens * sizeof(float),
            (weights.ContextTokens + BlockTokens - 1) / BlockTokens);
    }

    private static long TableBytes(TransformerWeights weights) => weights.Table.Values.Length * (long)sizeof(float);

    private static long BlockOf(BlockWeights block, long stride)
    {
        bool isBf16 = new[] { block.Query, block.Key, block.Value }.All(part => part.Weight.DType == DType.BF16);
        return MatrixOf(3 * stride, block.Query.Inputs, isBf16)
            + MatrixOf(block.Output) + MatrixOf(block.Up) + MatrixOf(block.Down);
    }

    private static long MatrixOf(LinearWeights linear) =>
        MatrixOf(linear.Outputs, linear.Inputs, linear.Weight.DType == DType.BF16);

    private static long MatrixOf(long outputs, long inputs, bool isBf16)
    {
        long panels = (outputs + KernelSet.PanelOutputs - 1) / KernelSet.PanelOutputs;
        int rowBytes = isBf16 ? PanelBf16.RowBytes : PanelF32.RowBytes;
        return panels * ((inputs * rowBytes) + (KernelSet.PanelOutputs * sizeof(float)));
    }
}

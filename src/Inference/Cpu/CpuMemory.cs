using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu.Kernels;

namespace Serving.Inference.Cpu;

/// <summary>The memory that a <see cref="CpuBackend"/> of a model takes, told before it is built.</summary>
/// <param name="MatrixBytes">Packed matrices: what one token of one sequence reads.</param>
/// <param name="TableBytes">The frozen table.</param>
/// <param name="BlockBytes">Keys and values of a block of <see cref="BlockTokens"/> tokens, in all layers.</param>
/// <param name="BlocksPerSequence">Blocks of a sequence that fills the context.</param>
public readonly record struct CpuMemory(long MatrixBytes, long TableBytes, long BlockBytes, int BlocksPerSequence)
{
    /// <summary>Tokens of a K/V block.</summary>
    public const int BlockTokens = KvStore.BlockTokens;

    private const int DefaultSequences = 8;
    private const int DefaultTokens = 1 << 16;

    /// <summary>Matrices and table; norms and rotary angles are too small to count.</summary>
    public long WeightBytes => MatrixBytes + TableBytes;

    /// <summary>K/V blocks that a backend has unless it is told how many: for some sequences of full length, or for one that is very
    /// long.</summary>
    public static int DefaultBlocks(int contextTokens)
    {
        int sequence = BlocksOf(contextTokens);
        return Math.Max(sequence, Math.Min(DefaultSequences * sequence, DefaultTokens / BlockTokens));
    }

    /// <summary>Of a checkpoint of one expert or several, which hold equal tables once.</summary>
    public static CpuMemory Of(IReadOnlyList<TransformerWeights> model, Quantization quantization = Quantization.None)
    {
        CpuMemory[] experts = [.. model.Select(expert => Of(expert, quantization))];
        long tables = experts.Sum(expert => expert.TableBytes) - model.Select(expert => expert.Table).Distinct().Sum(table => table.Bytes);
        return experts[0] with
        {
            MatrixBytes = experts.Sum(expert => expert.MatrixBytes),
            TableBytes = experts.Sum(expert => expert.TableBytes) - tables,
            BlockBytes = experts.Sum(expert => expert.BlockBytes),
        };
    }

    /// <summary>Estimates from shapes; reads no values.</summary>
    public static CpuMemory Of(TransformerWeights weights, Quantization quantization = Quantization.None)
    {
        int headStride = Lanes.RoundUp(weights.HeadSize);
        long stride = (long)weights.Heads * headStride;
        long matrices = weights.Blocks.Sum(BlockOf) + MatrixOf(weights.Head);
        return new CpuMemory(
            matrices,
            weights.Table.Bytes,
            2L * weights.Blocks.Count * weights.Heads * KvHead.BytesOf(headStride),
            BlocksOf(weights.ContextTokens));

        long BlockOf(BlockWeights block) =>
            PackedMatrix.BytesOf(3 * stride, block.Query.Inputs, quantization.FormatOf(block.Query, block.Key, block.Value))
            + MatrixOf(block.Output) + MatrixOf(block.Up) + MatrixOf(block.Down);

        long MatrixOf(LinearWeights linear) => PackedMatrix.BytesOf(linear.Outputs, linear.Inputs, quantization.FormatOf(linear));
    }

    private static int BlocksOf(int tokens) => (tokens + BlockTokens - 1) / BlockTokens;
}

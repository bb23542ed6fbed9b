using Serving.Glyphs.Embeddings;
using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu.Kernels;

namespace Serving.Inference.Cpu;

/// <summary>All weights of a model as the kernels read them.</summary>
internal sealed class PackedModel : IDisposable
{
    public PackedModel(TransformerWeights weights, Quantization quantization, WorkerPool pool, IProgress<double>? progress = null)
    {
        (Table, Width, Heads, HeadSize) = (weights.Table, weights.Width, weights.Heads, weights.HeadSize);
        (HiddenWidth, VocabularySize, ContextTokens) = (weights.HiddenWidth, weights.VocabularySize, weights.ContextTokens);
        Blocks = new Block[weights.Blocks.Count];
        for (int i = 0; i < Blocks.Length; i++)
        {
            Blocks[i] = Pack(weights.Blocks[i], weights, quantization, pool);
            progress?.Report((i + 1.0) / Blocks.Length);
        }
        FinalNorm = weights.FinalNorm is null ? null : new PackedNorm(weights.FinalNorm, weights.Norm);
        Head = PackedMatrix.Pack(weights.Head, quantization.FormatOf(weights.Head), pool);
        KvFormat = quantization.KvFormatOf(weights);
        Rotary = new RotaryTable(weights.ContextTokens, weights.HeadSize, weights.RopePairing);
    }

    public FrozenTable Table { get; }

    public int Width { get; }

    public int Heads { get; }

    public int HeadSize { get; }

    /// <summary>The head size rounded up to whole lanes: a head's place among queries, keys and values.</summary>
    public int HeadStride => Lanes.RoundUp(HeadSize);

    public int HiddenWidth { get; }

    public int VocabularySize { get; }

    public int ContextTokens { get; }

    /// <summary>How its keys and values are stored.</summary>
    public KvFormat KvFormat { get; }

    public Block[] Blocks { get; }

    public PackedNorm? FinalNorm { get; }

    public PackedMatrix Head { get; }

    public RotaryTable Rotary { get; }

    public void Dispose()
    {
        foreach (Block block in Blocks)
            block.Dispose();
        FinalNorm?.Dispose();
        Head.Dispose();
        Rotary.Dispose();
    }

    private static Block Pack(BlockWeights block, TransformerWeights weights, Quantization quantization, WorkerPool pool) => new(
        new PackedNorm(block.AttentionNorm, weights.Norm),
        PackQueryKeyValue(block, weights, quantization, pool),
        PackedMatrix.Pack(block.Output, quantization.FormatOf(block.Output), pool),
        new PackedNorm(block.MlpNorm, weights.Norm),
        PackedMatrix.Pack(block.Up, quantization.FormatOf(block.Up), pool),
        PackedMatrix.Pack(block.Down, quantization.FormatOf(block.Down), pool));

    // One matrix of three times heads times stride outputs: queries, keys, values. A head is filled up with zero rows to its
    // stride; queries and keys are reordered for the rotary kernel, which leaves their products as they are.
    private static PackedMatrix PackQueryKeyValue(
        BlockWeights block, TransformerWeights weights, Quantization quantization, WorkerPool pool)
    {
        int size = weights.HeadSize, stride = Lanes.RoundUp(size);
        LinearWeights[] parts = [block.Query, block.Key, block.Value];
        return PackedMatrix.Pack(3 * weights.Heads * stride, weights.Width, quantization.FormatOf(parts), Source, pool);

        PackedMatrix.RowSource Source(int output)
        {
            (int head, int element) = Math.DivRem(output, stride);
            (int part, head) = Math.DivRem(head, weights.Heads);
            if (element >= size)
                return default;
            if (part < 2)
                element = RotaryTable.StoredElement(element, size, weights.RopePairing);
            return new PackedMatrix.RowSource(parts[part], (head * size) + element);
        }
    }

    internal sealed record Block(
        PackedNorm AttentionNorm,
        PackedMatrix QueryKeyValue,
        PackedMatrix Output,
        PackedNorm MlpNorm,
        PackedMatrix Up,
        PackedMatrix Down) : IDisposable
    {
        public void Dispose()
        {
            AttentionNorm.Dispose();
            QueryKeyValue.Dispose();
            Output.Dispose();
            MlpNorm.Dispose();
            Up.Dispose();
            Down.Dispose();
        }
    }
}

using Serving.Glyphs.Embeddings;
using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu.Kernels;
using Serving.Inference.Devices;

namespace Serving.Inference.Cpu;

/// <summary>All weights of a model as the kernels read them.</summary>
internal sealed class PackedModel : IDisposable
{
    public PackedModel(TransformerWeights weights, Quantization quantization, WorkerPool pool, IProgress<double>? progress = null)
    {
        (Table, InputLift, Width, Heads, HeadSize) = (weights.Table, weights.InputLift, weights.Width, weights.Heads, weights.HeadSize);
        (HiddenWidth, VocabularySize, ContextTokens) = (weights.HiddenWidth, weights.VocabularySize, weights.ContextTokens);
        Blocks = new Block[weights.Blocks.Count];
        for (int i = 0; i < Blocks.Length; i++)
        {
            Blocks[i] = Pack(weights.Blocks[i], weights, quantization, pool);
            progress?.Report((i + 1.0) / Blocks.Length);
        }
        FinalNorm = weights.FinalNorm is null ? null : Pack(weights.FinalNorm, weights);
        Head = PackedMatrix.Pack(weights.Head, quantization.FormatOf(weights.Head), pool);
        Activation = weights.Activation switch
        {
            Checkpoints.Activation.GeluTanh => Epilogue.GeluTanh,
            Checkpoints.Activation.Silu => Epilogue.Silu,
            Checkpoints.Activation.Relu => Epilogue.Relu,
            _ => Epilogue.Gelu,
        };
        Rotary = new RotaryTable(weights.ContextTokens, weights.HeadSize, weights.RopePairing);
    }

    public FrozenTable Table { get; }

    public InputLift InputLift { get; }

    public int Width { get; }

    public int Heads { get; }

    public int HeadSize { get; }

    /// <summary>The head size rounded up to whole lanes: a head's place among queries, keys and values.</summary>
    public int HeadStride => Lanes.RoundUp(HeadSize);

    public int HiddenWidth { get; }

    public int VocabularySize { get; }

    public int ContextTokens { get; }

    public Block[] Blocks { get; }

    public PackedNorm? FinalNorm { get; }

    public PackedMatrix Head { get; }

    /// <summary>What becomes of the MLP's inner values.</summary>
    public Epilogue Activation { get; }

    public RotaryTable Rotary { get; }

    /// <summary>The memory of the weights and the table, each piece once; angles are no weights.</summary>
    public IEnumerable<WeightPiece> Pieces
    {
        get
        {
            IEnumerable<NativeBuffer> matrices = Blocks
                .SelectMany(block => new[] { block.QueryKeyValue, block.Output, block.Up, block.Down }).Append(Head)
                .SelectMany(matrix => matrix.Buffers);
            IEnumerable<NativeBuffer> norms = Blocks.SelectMany(block => new[] { block.AttentionNorm, block.MlpNorm })
                .Append(FinalNorm).OfType<PackedNorm>().Select(norm => norm.Buffer);
            return matrices.Concat(norms).Distinct().Select(buffer => new WeightPiece(buffer, buffer.Length))
                .Append(new WeightPiece(Table, Table.Bytes));
        }
    }

    public void Dispose()
    {
        foreach (Block block in Blocks)
            block.Dispose();
        FinalNorm?.Dispose();
        Head.Dispose();
        Rotary.Dispose();
    }

    private static Block Pack(BlockWeights block, TransformerWeights weights, Quantization quantization, WorkerPool pool) => new(
        Pack(block.AttentionNorm, weights),
        PackQueryKeyValue(block, weights, quantization, pool),
        PackedMatrix.Pack(block.Output, quantization.FormatOf(block.Output), pool),
        Pack(block.MlpNorm, weights),
        PackedMatrix.Pack(block.Up, quantization.FormatOf(block.Up), pool),
        PackedMatrix.Pack(block.Down, quantization.FormatOf(block.Down), pool));

    private static PackedNorm Pack(NormWeights norm, TransformerWeights weights) => new(norm, weights.Norm, weights.NormEpsilon);

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

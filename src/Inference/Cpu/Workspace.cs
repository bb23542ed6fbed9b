using Serving.Inference.Cpu.Kernels;

namespace Serving.Inference.Cpu;

/// <summary>The activations of a forward pass. Grows to the largest batch seen and then allocates nothing.</summary>
internal sealed unsafe class Workspace(PackedModel model, int threads) : IDisposable
{
    private readonly NativeBuffer _scores = NativeBuffer.OfFloats((long)threads * KernelSet.TileRows * Lanes.RoundUp(model.ContextTokens));
    private NativeBuffer? _activations;
    private int _capacity;

    /// <summary>Floats a row of <see cref="Residual"/>, <see cref="Normed"/> and <see cref="Attended"/>.</summary>
    public int Stride { get; } = RoundUp(model.Width);

    /// <summary>Floats a row of <see cref="QueryKeyValue"/>.</summary>
    public int QueryKeyValueStride { get; } = RoundUp(3 * model.Heads * model.HeadStride);

    /// <summary>Floats a row of <see cref="Hidden"/>.</summary>
    public int HiddenStride { get; } = RoundUp(model.HiddenWidth);

    /// <summary>[rows, width]: the residual stream.</summary>
    public float* Residual { get; private set; }

    /// <summary>[rows, width]: what the next matrix reads.</summary>
    public float* Normed { get; private set; }

    /// <summary>[rows, width]: the heads' results.</summary>
    public float* Attended { get; private set; }

    /// <summary>[rows, 3, heads, head stride].</summary>
    public float* QueryKeyValue { get; private set; }

    /// <summary>[rows, hidden width].</summary>
    public float* Hidden { get; private set; }

    /// <summary>The position of each row.</summary>
    public int[] Positions { get; private set; } = [];

    /// <summary>The chunk of each row.</summary>
    public int[] ChunkOf { get; private set; } = [];

    /// <summary>Floats of one query's scores.</summary>
    public int ScoreStride { get; } = Lanes.RoundUp(model.ContextTokens);

    /// <summary>A worker's attention scores, [<see cref="KernelSet.TileRows"/>, <see cref="ScoreStride"/>].</summary>
    public float* Scores(int worker) => _scores.Floats + ((long)worker * KernelSet.TileRows * ScoreStride);

    /// <summary>Makes room for a batch.</summary>
    public void Ensure(int rows)
    {
        if (rows <= _capacity)
            return;
        _capacity = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(rows, 8));
        _activations?.Dispose();
        _activations = NativeBuffer.OfFloats((long)_capacity * ((3 * Stride) + QueryKeyValueStride + HiddenStride));
        Residual = _activations.Floats;
        Normed = Residual + ((long)_capacity * Stride);
        Attended = Normed + ((long)_capacity * Stride);
        QueryKeyValue = Attended + ((long)_capacity * Stride);
        Hidden = QueryKeyValue + ((long)_capacity * QueryKeyValueStride);
        (Positions, ChunkOf) = (new int[_capacity], new int[_capacity]);
    }

    public void Dispose()
    {
        _scores.Dispose();
        _activations?.Dispose();
    }

    // Whole panels, so that a matrix product writes without a special case for the last one.
    private static int RoundUp(int values) =>
        (values + KernelSet.PanelOutputs - 1) / KernelSet.PanelOutputs * KernelSet.PanelOutputs;
}

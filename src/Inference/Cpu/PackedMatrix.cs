using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu.Kernels;

namespace Serving.Inference.Cpu;

/// <summary>
/// A weight matrix in panels of 64 outputs: panel, then input, then output. Vector lanes run over outputs and a product reads
/// memory in one straight line. bf16 stays bf16 (<see cref="PanelBf16"/>); everything else is float32.
/// </summary>
internal sealed unsafe class PackedMatrix : IDisposable
{
    // A model is loaded while others answer: they get the pool back every few milliseconds.
    private const int PanelsAtOnce = 16;

    private static readonly int[] PlainOrder = [.. Enumerable.Range(0, KernelSet.PanelOutputs)];

    // Word i of a half panel: output i in its low half, output i + 16 in its high half.
    private static readonly int[] PairedOrder = [.. PlainOrder.OrderBy(output => (output & 32) + (2 * (output & 15)) + ((output >> 4) & 1))];

    private NativeBuffer _weights;
    private NativeBuffer _bias;
    private bool _isShared;

    private PackedMatrix(int outputs, int inputs, bool isBf16)
    {
        (Outputs, Inputs, IsBf16) = (outputs, inputs, isBf16);
        Panels = (outputs + KernelSet.PanelOutputs - 1) / KernelSet.PanelOutputs;
        RowBytes = isBf16 ? PanelBf16.RowBytes : PanelF32.RowBytes;
        _weights = new NativeBuffer((long)Panels * inputs * RowBytes);
        _bias = NativeBuffer.OfFloats(Panels * KernelSet.PanelOutputs);
    }

    /// <summary>Values out.</summary>
    public int Outputs { get; }

    /// <summary>Values in.</summary>
    public int Inputs { get; }

    /// <summary>Whether weights are bf16.</summary>
    public bool IsBf16 { get; }

    /// <summary>Panels; the last is filled up with zeros.</summary>
    public int Panels { get; }

    /// <summary>Bytes of a panel's 64 weights of one input.</summary>
    public int RowBytes { get; }

    /// <summary>Bytes held.</summary>
    public long Bytes => _weights.Length + _bias.Length;

    /// <summary>The memory held, which other matrices of the same content share.</summary>
    public IEnumerable<NativeBuffer> Buffers => [_weights, _bias];

    /// <summary>The weights of a panel's first input.</summary>
    public byte* Panel(int panel) => _weights.Bytes + ((long)panel * Inputs * RowBytes);

    /// <summary>[64], zeros where there is no bias.</summary>
    public float* Bias(int panel) => _bias.Floats + (panel * KernelSet.PanelOutputs);

    /// <summary>Packs a matrix as it is.</summary>
    public static PackedMatrix Pack(LinearWeights linear, WorkerPool pool) =>
        Pack(linear.Outputs, linear.Inputs, linear.Weight.DType == DType.BF16, output => new RowSource(linear, output), pool);

    /// <summary>Packs a matrix whose outputs come from anywhere.</summary>
    /// <param name="outputs">Values out.</param>
    /// <param name="inputs">Values in.</param>
    /// <param name="isBf16">Whether to keep bf16; then every source is bf16.</param>
    /// <param name="source">Where an output's weights are; default = zeros.</param>
    /// <param name="pool">Panels are packed in parallel.</param>
    public static PackedMatrix Pack(int outputs, int inputs, bool isBf16, Func<int, RowSource> source, WorkerPool pool)
    {
        var matrix = new PackedMatrix(outputs, inputs, isBf16);
        try
        {
            for (int start = 0; start < matrix.Panels; start += PanelsAtOnce)
            {
                int first = start;
                lock (pool.Gate)
                    pool.Run(Math.Min(PanelsAtOnce, matrix.Panels - first), (i, _) => matrix.PackPanel(first + i, source));
            }

            matrix.Share();
            return matrix;
        }
        catch
        {
            matrix.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        foreach (NativeBuffer buffer in Buffers)
        {
            if (_isShared)
                SharedBuffers.Release(buffer);
            else
                buffer.Dispose();
        }
    }

    private void Share()
    {
        (_weights, _bias) = (SharedBuffers.Share(_weights), SharedBuffers.Share(_bias));
        _isShared = true;
    }

    private void PackPanel(int panel, Func<int, RowSource> source)
    {
        var bias = new Span<float>(Bias(panel), KernelSet.PanelOutputs);
        bias.Clear();
        var sources = new RowSource[Math.Min(KernelSet.PanelOutputs, Outputs - (panel * KernelSet.PanelOutputs))];
        for (int i = 0; i < sources.Length; i++)
            sources[i] = source((panel * KernelSet.PanelOutputs) + i);
        if (IsBf16)
        {
            using var rows = new PanelRows<ushort>(sources, Inputs, bias);
            rows.WriteTo(PairedOrder, new Span<ushort>(Panel(panel), Inputs * KernelSet.PanelOutputs));
        }
        else
        {
            using var rows = new PanelRows<float>(sources, Inputs, bias);
            rows.WriteTo(PlainOrder, new Span<float>(Panel(panel), Inputs * KernelSet.PanelOutputs));
        }
    }

    /// <summary>A row of a matrix, and its bias.</summary>
    public readonly record struct RowSource(LinearWeights? Linear, int Row);
}

using System.Runtime.InteropServices;
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
        new Span<byte>(Panel(panel), Inputs * RowBytes).Clear();
        var floats = new float[IsBf16 ? 0 : Inputs];
        var halves = new ushort[IsBf16 ? Inputs : 0];
        for (int i = 0; i < KernelSet.PanelOutputs && (panel * KernelSet.PanelOutputs) + i < Outputs; i++)
        {
            RowSource row = source((panel * KernelSet.PanelOutputs) + i);
            if (row.Linear is null)
                continue;
            row.Linear.Bias?.ReadFloats(row.Row, bias.Slice(i, 1));
            if (IsBf16)
            {
                row.Linear.Weight.Read((long)row.Row * Inputs * sizeof(ushort), MemoryMarshal.AsBytes(halves.AsSpan()));
                Scatter(halves, (ushort*)Panel(panel) + PairedIndex(i));
            }
            else
            {
                row.Linear.Weight.ReadFloats((long)row.Row * Inputs, floats);
                Scatter(floats, (float*)Panel(panel) + i);
            }
        }
    }

    // Word i of a half panel: output i in its low half, output i + 16 in its high half.
    private static int PairedIndex(int output) => (output & 32) + (2 * (output & 15)) + ((output >> 4) & 1);

    private static void Scatter<TValue>(ReadOnlySpan<TValue> row, TValue* target)
        where TValue : unmanaged
    {
        for (int input = 0; input < row.Length; input++)
            target[input * KernelSet.PanelOutputs] = row[input];
    }

    /// <summary>A row of a matrix, and its bias.</summary>
    public readonly record struct RowSource(LinearWeights? Linear, int Row);
}

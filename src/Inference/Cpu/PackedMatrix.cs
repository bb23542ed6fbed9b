using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu.Kernels;

namespace Serving.Inference.Cpu;

/// <summary>
/// A weight matrix in panels of 64 outputs: panel, then input, then output. Vector lanes run over outputs and a product reads
/// memory in one straight line. A panel of <see cref="WeightFormat.Int8"/> begins with the scales of its groups.
/// </summary>
internal sealed unsafe class PackedMatrix : IDisposable
{
    // A model is loaded while others answer: they get the pool back every few milliseconds.
    private const int PanelsAtOnce = 16;

    private static readonly int[] PairedOrder = [.. Enumerable.Range(0, KernelSet.PanelOutputs).OrderBy(PairedIndex)];

    private NativeBuffer _weights;
    private NativeBuffer _bias;
    private bool _isShared;

    private PackedMatrix(int outputs, int inputs, WeightFormat format)
    {
        (Outputs, Inputs, Format) = (outputs, inputs, format);
        Panels = (outputs + KernelSet.PanelOutputs - 1) / KernelSet.PanelOutputs;
        _weights = new NativeBuffer(Panels * PanelBytes(inputs, format));
        _bias = NativeBuffer.OfFloats(Panels * KernelSet.PanelOutputs);
    }

    /// <summary>Values out.</summary>
    public int Outputs { get; }

    /// <summary>Values in.</summary>
    public int Inputs { get; }

    /// <summary>How weights are stored.</summary>
    public WeightFormat Format { get; }

    /// <summary>Panels; the last is filled up with zeros.</summary>
    public int Panels { get; }

    /// <summary>Bytes held.</summary>
    public long Bytes => _weights.Length + _bias.Length;

    /// <summary>Bytes that a packed matrix takes.</summary>
    public static long BytesOf(long outputs, long inputs, WeightFormat format)
    {
        long panels = (outputs + KernelSet.PanelOutputs - 1) / KernelSet.PanelOutputs;
        return panels * (PanelBytes(inputs, format) + (KernelSet.PanelOutputs * sizeof(float)));
    }

    /// <summary>The weights of some inputs of a panel; with <see cref="WeightFormat.Int8"/>, from the first input of a group.</summary>
    public PanelSlice Slice(int panel, int firstInput, int inputs)
    {
        byte* weights = _weights.Bytes + (panel * PanelBytes(Inputs, Format));
        byte* scales = null;
        if (Format == WeightFormat.Int8)
        {
            scales = weights + ((long)firstInput / PanelInt8.GroupInputs * PanelInt8.ScaleBytes);
            weights += ScalesBytes(Inputs);
        }

        return new PanelSlice(weights + ((long)firstInput * RowBytes(Format)), scales, inputs, Format);
    }

    /// <summary>The memory held, which other matrices of the same content share.</summary>
    public IEnumerable<NativeBuffer> Buffers => [_weights, _bias];

    /// <summary>[64], zeros where there is no bias.</summary>
    public float* Bias(int panel) => _bias.Floats + (panel * KernelSet.PanelOutputs);

    /// <summary>Packs a matrix.</summary>
    public static PackedMatrix Pack(LinearWeights linear, WeightFormat format, WorkerPool pool) =>
        Pack(linear.Outputs, linear.Inputs, format, output => new RowSource(linear, output), pool);

    /// <summary>Packs a matrix whose outputs come from anywhere.</summary>
    /// <param name="outputs">Values out.</param>
    /// <param name="inputs">Values in.</param>
    /// <param name="format">How to store weights; with <see cref="WeightFormat.BF16"/> every source is bf16.</param>
    /// <param name="source">Where an output's weights are; default = zeros.</param>
    /// <param name="pool">Panels are packed in parallel.</param>
    public static PackedMatrix Pack(int outputs, int inputs, WeightFormat format, Func<int, RowSource> source, WorkerPool pool)
    {
        var matrix = new PackedMatrix(outputs, inputs, format);
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

    private static int RowBytes(WeightFormat format) => format switch
    {
        WeightFormat.BF16 => PanelBf16.RowBytes,
        WeightFormat.Int8 => PanelInt8.RowBytes,
        _ => PanelF32.RowBytes,
    };

    private static long PanelBytes(long inputs, WeightFormat format) =>
        (inputs * RowBytes(format)) + (format == WeightFormat.Int8 ? ScalesBytes(inputs) : 0);

    private static long ScalesBytes(long inputs) =>
        (inputs + PanelInt8.GroupInputs - 1) / PanelInt8.GroupInputs * PanelInt8.ScaleBytes;

    private void PackPanel(int panel, Func<int, RowSource> source)
    {
        var bias = new Span<float>(Bias(panel), KernelSet.PanelOutputs);
        bias.Clear();
        var sources = new RowSource[Math.Min(KernelSet.PanelOutputs, Outputs - (panel * KernelSet.PanelOutputs))];
        for (int i = 0; i < sources.Length; i++)
            sources[i] = source((panel * KernelSet.PanelOutputs) + i);
        PanelSlice slice = Slice(panel, 0, Inputs);
        if (Format == WeightFormat.BF16)
        {
            using var halves = new PanelRows<ushort>(sources, Inputs, bias);
            halves.WritePairs(PairedOrder, new Span<uint>(slice.Weights, Inputs * KernelSet.PanelOutputs / 2));
            return;
        }

        if (sources[0].Linear?.Scales is not null)
        {
            using var numbers = new PanelRows<sbyte>(sources, Inputs, bias);
            using var scales = new PanelRows<ushort>([.. sources.Select(ScalesOf)], EightBits.GroupsOf(Inputs), default);
            numbers.Write(new Span<sbyte>(slice.Weights, Inputs * KernelSet.PanelOutputs));
            scales.WritePairs(PairedOrder, new Span<uint>(slice.Scales, EightBits.GroupsOf(Inputs) * KernelSet.PanelOutputs / 2));
            return;
        }

        using var rows = new PanelRows<float>(sources, Inputs, bias);
        if (Format == WeightFormat.F32)
            rows.Write(new Span<float>(slice.Weights, Inputs * KernelSet.PanelOutputs));
        else
            Quantize(rows, slice);
    }

    private static RowSource ScalesOf(RowSource source) => new(source.Linear is { } linear ? new LinearWeights(linear.Scales!, null) : null, source.Row);

    private static void Quantize(in PanelRows<float> rows, in PanelSlice slice)
    {
        Span<sbyte> numbers = new sbyte[slice.Inputs];
        Span<ushort> scales = new ushort[EightBits.GroupsOf(slice.Inputs)];
        for (int output = 0; output < KernelSet.PanelOutputs; output++)
        {
            EightBits.Quantize(rows[output], numbers, scales);
            for (int i = 0; i < numbers.Length; i++)
                ((sbyte*)slice.Weights)[(i * KernelSet.PanelOutputs) + output] = numbers[i];
            for (int group = 0; group < scales.Length; group++)
                ((ushort*)slice.Scales)[(group * KernelSet.PanelOutputs) + PairedIndex(output)] = scales[group];
        }
    }

    // Word i of a half panel: output i in its low half, output i + 16 in its high half.
    private static int PairedIndex(int output) => (output & 32) + (2 * (output & 15)) + ((output >> 4) & 1);

    /// <summary>A row of a matrix, and its bias.</summary>
    public readonly record struct RowSource(LinearWeights? Linear, int Row);
}

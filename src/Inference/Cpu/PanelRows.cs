using System.Buffers;
using System.Runtime.InteropServices;
using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu.Kernels;

namespace Serving.Inference.Cpu;

/// <summary>The rows of weights that go into a panel, read from their file in as few pieces as they lie in, and brought into
/// the panel's order block by block, so that both sides stay in the first-level cache.</summary>
/// <typeparam name="T">ushort for bf16, else float.</typeparam>
internal readonly ref struct PanelRows<T>
    where T : unmanaged
{
    private const int InputsAtOnce = 32;

    private readonly T[] _rented;
    private readonly int _inputs;

    /// <param name="sources">Where each row is, up to 64; a row without a matrix is zeros.</param>
    /// <param name="inputs">Values of a row.</param>
    /// <param name="bias">[64], zeros; filled where rows have one.</param>
    public PanelRows(ReadOnlySpan<PackedMatrix.RowSource> sources, int inputs, Span<float> bias)
    {
        (_inputs, _rented) = (inputs, ArrayPool<T>.Shared.Rent(KernelSet.PanelOutputs * inputs));
        _rented.AsSpan(0, KernelSet.PanelOutputs * inputs).Clear();
        for (int row = 0; row < sources.Length;)
        {
            int count = RunAt(sources[row..]);
            if (sources[row].Linear is { } linear)
            {
                Read(linear.Weight, (long)sources[row].Row * inputs, _rented.AsSpan(row * inputs, count * inputs));
                linear.Bias?.ReadFloats(sources[row].Row, bias.Slice(row, count));
            }

            row += count;
        }
    }

    /// <summary>A row's values.</summary>
    public ReadOnlySpan<T> this[int row] => _rented.AsSpan(row * _inputs, _inputs);

    /// <summary>Writes input by input, 64 values of each.</summary>
    /// <param name="order">[64]: which row comes at each place.</param>
    /// <param name="target">[inputs, 64].</param>
    public void WriteTo(ReadOnlySpan<int> order, Span<T> target)
    {
        for (int first = 0; first < _inputs; first += InputsAtOnce)
        {
            int inputs = Math.Min(InputsAtOnce, _inputs - first);
            Span<T> block = target.Slice(first * KernelSet.PanelOutputs, inputs * KernelSet.PanelOutputs);
            for (int place = 0; place < order.Length; place++)
            {
                ReadOnlySpan<T> row = _rented.AsSpan((order[place] * _inputs) + first, inputs);
                for (int i = 0, at = place; i < row.Length; i++, at += KernelSet.PanelOutputs)
                    block[at] = row[i];
            }
        }
    }

    public void Dispose() => ArrayPool<T>.Shared.Return(_rented);

    // Rows that follow each other in one matrix.
    private static int RunAt(ReadOnlySpan<PackedMatrix.RowSource> sources)
    {
        int count = 1;
        while (count < sources.Length && sources[count].Linear == sources[0].Linear
            && (sources[0].Linear is null || sources[count].Row == sources[0].Row + count))
            count++;
        return count;
    }

    private static void Read(Tensor weight, long start, Span<T> destination)
    {
        if (typeof(T) == typeof(float))
            weight.ReadFloats(start, MemoryMarshal.Cast<T, float>(destination));
        else
            weight.Read(start * sizeof(ushort), MemoryMarshal.AsBytes(destination));
    }
}

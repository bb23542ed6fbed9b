using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu.Kernels;

namespace Serving.Inference.Cpu;

/// <summary>The rows of weights that go into a panel, read from their file in as few pieces as they lie in, and brought into
/// the panel's order block by block, so that both sides stay in the first-level cache.</summary>
/// <typeparam name="T">As the weights are stored, or float.</typeparam>
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
        _rented.AsSpan(sources.Length * inputs, (KernelSet.PanelOutputs - sources.Length) * inputs).Clear();
        for (int row = 0, count; row < sources.Length; row += count)
        {
            count = RunAt(sources[row..]);
            Span<T> run = _rented.AsSpan(row * inputs, count * inputs);
            if (sources[row].Linear is { } linear)
            {
                Read(linear.Weight, (long)sources[row].Row * inputs, run);
                linear.Bias?.ReadFloats(sources[row].Row, bias.Slice(row, count));
            }
            else
                run.Clear();
        }
    }

    /// <summary>A row's values.</summary>
    public ReadOnlySpan<T> this[int row] => _rented.AsSpan(row * _inputs, _inputs);

    /// <summary>Writes input by input, 64 values of each.</summary>
    /// <param name="target">[inputs, 64].</param>
    public void Write(Span<T> target)
    {
        for (int first = 0; first < _inputs; first += InputsAtOnce)
        {
            int inputs = Math.Min(InputsAtOnce, _inputs - first);
            for (int row = 0; row < KernelSet.PanelOutputs; row++)
            {
                ref T place = ref target.Slice(first * KernelSet.PanelOutputs, inputs * KernelSet.PanelOutputs)[row];
                foreach (T value in this[row].Slice(first, inputs))
                {
                    place = value;
                    place = ref Unsafe.Add(ref place, KernelSet.PanelOutputs);
                }
            }
        }
    }

    /// <summary>Writes input by input, 32 words of each, a row's value in a word's lower half and another's in its upper.</summary>
    /// <param name="order">[64]: whose values are in each half, the lower one first.</param>
    /// <param name="target">[inputs, 32].</param>
    public void WritePairs(ReadOnlySpan<int> order, Span<uint> target)
    {
        const int Words = KernelSet.PanelOutputs / 2;
        for (int first = 0; first < _inputs; first += InputsAtOnce)
        {
            int inputs = Math.Min(InputsAtOnce, _inputs - first);
            for (int word = 0; word < Words; word++)
            {
                ReadOnlySpan<ushort> low = MemoryMarshal.Cast<T, ushort>(this[order[2 * word]].Slice(first, inputs));
                ReadOnlySpan<ushort> high = MemoryMarshal.Cast<T, ushort>(this[order[(2 * word) + 1]].Slice(first, inputs));
                ref uint place = ref target.Slice(first * Words, inputs * Words)[word];
                for (int i = 0; i < low.Length && i < high.Length; i++)
                {
                    place = low[i] | ((uint)high[i] << 16);
                    place = ref Unsafe.Add(ref place, Words);
                }
            }
        }
    }

    public void Dispose() => ArrayPool<T>.Shared.Return(_rented);

    // Rows that follow each other in one matrix.
    private static int RunAt(ReadOnlySpan<PackedMatrix.RowSource> sources)
    {
        int count = 1;
        while (count < sources.Length && IsOneMatrix(sources[count].Linear, sources[0].Linear)
            && (sources[0].Linear is null || sources[count].Row == sources[0].Row + count))
            count++;
        return count;
    }

    private static bool IsOneMatrix(LinearWeights? one, LinearWeights? other) => ReferenceEquals(one?.Weight, other?.Weight);

    private static void Read(Tensor weight, long start, Span<T> destination)
    {
        if (typeof(T) == typeof(float))
            weight.ReadFloats(start, MemoryMarshal.Cast<T, float>(destination));
        else
            weight.Read(start * Unsafe.SizeOf<T>(), MemoryMarshal.AsBytes(destination));
    }
}

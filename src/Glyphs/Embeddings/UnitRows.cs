using System.Buffers;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Serving.Glyphs.Embeddings;

/// <summary>
/// Pictures as rows of a table, some at a time: their bits without the mean, on the principal directions, scaled to length 1. A row
/// is a sum over the picture's ones, in their order, so its bytes do not depend on what it is computed together with.
/// </summary>
/// <remarks>A thread takes the directions 16 at a time through all rows: half a megabyte for pictures of 4,096 bits. One thread at a
/// time may call it.</remarks>
internal sealed class UnitRows
{
    private const int PanelColumns = 2 * VectorMath.Lanes;

    /// <summary>64 MB of sums in double precision.</summary>
    private const int MostValues = 1 << 23;

    private readonly BitMatrix _bits;
    private readonly double[][] _directions;
    private readonly double[] _centre;
    private readonly double[][] _sums;
    private readonly ushort[][] _ones;

    /// <param name="bits">The pictures.</param>
    /// <param name="components">What they are rotated onto.</param>
    public UnitRows(BitMatrix bits, PrincipalComponents components)
    {
        (_bits, _directions) = (bits, components.Directions);
        _centre = new double[_directions.Length];
        Parallel.For(0, _centre.Length, k =>
        {
            for (int bit = 0; bit < bits.Columns; bit++) _centre[k] += _directions[k][bit] * components.Mean[bit];
        });
        AtOnce = Math.Clamp(MostValues / _directions.Length, 1, bits.Rows);
        _sums = new double[AtOnce][];
        for (int row = 0; row < AtOnce; row++) _sums[row] = new double[_directions.Length + PanelColumns - 1];
        _ones = new ushort[AtOnce][];
    }

    /// <summary>The most rows that are computed together.</summary>
    public int AtOnce { get; }

    /// <summary>Computes some rows.</summary>
    /// <param name="first">The first of them.</param>
    /// <param name="count">1 to <see cref="AtOnce"/>.</param>
    /// <param name="rows">[count, components], written.</param>
    public void Compute(int first, int count, float[] rows)
    {
        int width = _directions.Length;
        Parallel.For(0, count, () => new int[_bits.Columns], (row, _, ones) =>
        {
            _ones[row] = Array.ConvertAll(ones[.._bits.OnesOf(first + row, ones)], bit => (ushort)bit);
            return ones;
        }, _ => { });
        Parallel.For(0, (width + PanelColumns - 1) / PanelColumns, () => ArrayPool<double>.Shared.Rent((_bits.Columns + 1) * PanelColumns), (panel, _, directions) =>
        {
            Gather(panel * PanelColumns, directions);
            for (int row = 0; row < count; row++) Sum(_ones[row], directions, _bits.Columns, _sums[row], panel * PanelColumns);
            return directions;
        }, panel => ArrayPool<double>.Shared.Return(panel));
        Parallel.For(0, count, row => Normalize(_sums[row].AsSpan(0, width), rows.AsSpan(row * width, width)));
    }

    // [bits][16], and at the end what the mean comes to, to be taken off.
    private void Gather(int start, double[] panel)
    {
        for (int k = 0; k < Math.Min(PanelColumns, _directions.Length - start); k++)
        {
            double[] direction = _directions[start + k];
            for (int bit = 0; bit < direction.Length; bit++) panel[(bit * PanelColumns) + k] = direction[bit];
            panel[(direction.Length * PanelColumns) + k] = _centre[start + k];
        }
    }

    private static void Sum(ushort[] ones, double[] panel, int bits, double[] sums, int start)
    {
        ref double place = ref MemoryMarshal.GetArrayDataReference(panel);
        nuint centre = (nuint)(bits * PanelColumns);
        Vector512<double> left = Vector512<double>.Zero - Vector512.LoadUnsafe(ref place, centre);
        Vector512<double> right = Vector512<double>.Zero - Vector512.LoadUnsafe(ref place, centre + VectorMath.Lanes);
        foreach (ushort bit in ones)
        {
            nuint at = (nuint)(bit * PanelColumns);
            left += Vector512.LoadUnsafe(ref place, at);
            right += Vector512.LoadUnsafe(ref place, at + VectorMath.Lanes);
        }

        left.CopyTo(sums, start);
        right.CopyTo(sums, start + VectorMath.Lanes);
    }

    private static void Normalize(ReadOnlySpan<double> sums, Span<float> unit)
    {
        double square = 0;
        foreach (double value in sums) square += value * value;
        double scale = square > 0 ? 1 / Math.Sqrt(square) : 0;
        for (int i = 0; i < sums.Length; i++) unit[i] = (float)(sums[i] * scale);
    }
}

using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Serving.Glyphs.Embeddings;

/// <summary>Cosines with the rows of a table rounded to bfloat16, which takes half the time to read.</summary>
/// <remarks>
/// A word holds an even and the following odd value. Shifted and masked, each half is a float32 by itself; a query is kept as
/// its even and its odd values to meet them.
/// </remarks>
internal sealed class RoundedCosines
{
    /// <summary>bfloat16 keeps 8 digits, so that a value moves by at most 2⁻⁸ of itself, and by Cauchy and Schwarz a cosine by at
    /// most 2⁻⁸ too; the rest is for sums in float32.</summary>
    public const float LargestError = (1 / 256f) + 1e-4f;

    private const int Tile = 4;

    private static readonly int Lanes = Vector512<uint>.Count;

    private readonly FrozenTable _table;
    private readonly float[] _inverseNorms;
    private readonly int _words; // a row, a multiple of the lanes
    private readonly uint[] _rows; // [table.Rows, _words]

    /// <param name="table">The table; its owner gives it to <see cref="Round"/> row by row.</param>
    /// <param name="inverseNorms">[rows] one over the length of each, 0 for zeros; filled by the owner.</param>
    public RoundedCosines(FrozenTable table, float[] inverseNorms)
    {
        (_table, _inverseNorms) = (table, inverseNorms);
        _words = (((table.Dimensions + 1) / 2) + Lanes - 1) / Lanes * Lanes;
        _rows = new uint[checked(table.Rows * _words)];
    }

    /// <summary>A row to compare with: its values at even and at odd places, [words] each.</summary>
    internal readonly record struct Query(float[] Even, float[] Odd, float InverseNorm);

    /// <summary>Copies a row, rounded to nearest.</summary>
    /// <param name="row">Which.</param>
    /// <param name="values">It.</param>
    public void Round(int row, ReadOnlySpan<float> values)
    {
        Span<uint> words = _rows.AsSpan(row * _words, _words);
        for (int i = 0; i < values.Length; i++)
            words[i >> 1] |= (i & 1) == 0 ? Bits(values[i]) >> 16 : Bits(values[i]) & 0xFFFF_0000;
    }

    /// <summary>Splits a row.</summary>
    public Query Prepare(int row)
    {
        (float[] even, float[] odd) = (new float[_words], new float[_words]);
        ReadOnlySpan<float> values = _table.Row(row);
        for (int i = 0; i < values.Length; i++) ((i & 1) == 0 ? even : odd)[i >> 1] = values[i];
        return new Query(even, odd, _inverseNorms[row]);
    }

    /// <summary>The cosines of some queries with rows from <paramref name="start"/> on.</summary>
    /// <param name="queries">Of <see cref="Prepare"/>.</param>
    /// <param name="start">The first row.</param>
    /// <param name="length">How many.</param>
    /// <param name="cosines">[queries][rows of the table], written from <paramref name="start"/> on.</param>
    public void Compute(Query[] queries, int start, int length, float[][] cosines)
    {
        int row = start;
        for (; row <= start + length - Tile; row += Tile)
        {
            for (int i = 0; i < queries.Length; i++)
            {
                Vector128<float> norms = Vector128.Create(_inverseNorms, row) * queries[i].InverseNorm;
                (Dots(queries[i], row) * norms).CopyTo(cosines[i], row);
            }
        }

        for (; row < start + length; row++)
        {
            for (int i = 0; i < queries.Length; i++)
                cosines[i][row] = Dot(queries[i], row) * queries[i].InverseNorm * _inverseNorms[row];
        }
    }

    // Four rows at once: four chains of additions, and four streams of memory.
    private Vector128<float> Dots(in Query query, int row)
    {
        ref float even = ref MemoryMarshal.GetArrayDataReference(query.Even);
        ref float odd = ref MemoryMarshal.GetArrayDataReference(query.Odd);
        ref uint words = ref _rows[row * _words];
        (Vector512<float> sum0, Vector512<float> sum1, Vector512<float> sum2, Vector512<float> sum3) = (default, default, default, default);
        for (nuint i = 0, width = (nuint)_words; i < width; i += (nuint)Lanes)
        {
            Vector512<float> first = Vector512.LoadUnsafe(ref even, i), second = Vector512.LoadUnsafe(ref odd, i);
            sum0 = Add(sum0, Vector512.LoadUnsafe(ref words, i), first, second);
            sum1 = Add(sum1, Vector512.LoadUnsafe(ref words, i + width), first, second);
            sum2 = Add(sum2, Vector512.LoadUnsafe(ref words, i + (2 * width)), first, second);
            sum3 = Add(sum3, Vector512.LoadUnsafe(ref words, i + (3 * width)), first, second);
        }

        return Vector128.Create(Vector512.Sum(sum0), Vector512.Sum(sum1), Vector512.Sum(sum2), Vector512.Sum(sum3));
    }

    private float Dot(in Query query, int row)
    {
        Vector512<float> sum = default;
        for (int i = 0; i < _words; i += Lanes)
            sum = Add(sum, Vector512.Create(_rows, (row * _words) + i), Vector512.Create(query.Even, i), Vector512.Create(query.Odd, i));
        return Vector512.Sum(sum);
    }

    private static Vector512<float> Add(Vector512<float> sum, Vector512<uint> words, Vector512<float> even, Vector512<float> odd) =>
        Vector512.FusedMultiplyAdd((words & Vector512.Create(0xFFFF_0000)).AsSingle(), odd,
            Vector512.FusedMultiplyAdd((words << 16).AsSingle(), even, sum));

    // To nearest, ties to even, in the upper half.
    private static uint Bits(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return bits + 0x7FFF + ((bits >> 16) & 1);
    }
}

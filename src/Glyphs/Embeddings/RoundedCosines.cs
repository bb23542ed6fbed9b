using System.Runtime.CompilerServices;
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

    /// <summary>128 KB of a row of 1,024.</summary>
    private const int BlockRows = 64;

    private static int Lanes => Vector512<uint>.Count;

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

    /// <summary>The cosines of some queries with rows from <paramref name="start"/> on, the same bits for any number of queries.</summary>
    /// <param name="queries">Of <see cref="Prepare"/>.</param>
    /// <param name="start">The first row.</param>
    /// <param name="length">How many.</param>
    /// <param name="cosines">[queries][rows of the table], written from <paramref name="start"/> on.</param>
    public void Compute(Query[] queries, int start, int length, float[][] cosines)
    {
        // A block of rows comes from memory once, and stays near for all queries.
        for (int end = start + length; start < end; start += BlockRows)
        {
            int stop = Math.Min(start + BlockRows, end), query = 0;
            for (; query <= queries.Length - 2; query += 2)
                ComputeTwo(queries[query], queries[query + 1], start, stop, cosines[query], cosines[query + 1]);
            if (query < queries.Length)
                ComputeOne(queries[query], start, stop, cosines[query]);
        }
    }

    private void ComputeOne(in Query query, int row, int stop, float[] cosines)
    {
        for (; row <= stop - Tile; row += Tile)
            Write(Dots(query, row), query, row, cosines);
        for (; row < stop; row++)
            cosines[row] = Dot(query, row) * (query.InverseNorm * _inverseNorms[row]);
    }

    private void ComputeTwo(in Query a, in Query b, int row, int stop, float[] cosinesA, float[] cosinesB)
    {
        for (; row <= stop - Tile; row += Tile)
        {
            (Vector128<float> dotsA, Vector128<float> dotsB) = Dots(a, b, row);
            Write(dotsA, a, row, cosinesA);
            Write(dotsB, b, row, cosinesB);
        }

        for (; row < stop; row++)
        {
            cosinesA[row] = Dot(a, row) * (a.InverseNorm * _inverseNorms[row]);
            cosinesB[row] = Dot(b, row) * (b.InverseNorm * _inverseNorms[row]);
        }
    }

    private void Write(Vector128<float> dots, in Query query, int row, float[] cosines) =>
        (dots * (Vector128.Create(_inverseNorms, row) * query.InverseNorm)).CopyTo(cosines, row);

    // Compiled at once for good: a table is asked too seldom to earn it.
    // Four rows at once: four chains of additions, and four streams of memory.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
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

    // The same for two queries: a word is split once for both, and eight chains keep two multipliers busy.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private (Vector128<float> A, Vector128<float> B) Dots(in Query a, in Query b, int row)
    {
        ref float evenA = ref MemoryMarshal.GetArrayDataReference(a.Even), oddA = ref MemoryMarshal.GetArrayDataReference(a.Odd);
        ref float evenB = ref MemoryMarshal.GetArrayDataReference(b.Even), oddB = ref MemoryMarshal.GetArrayDataReference(b.Odd);
        ref uint words = ref _rows[row * _words];
        (Vector512<float> a0, Vector512<float> a1, Vector512<float> a2, Vector512<float> a3) = (default, default, default, default);
        (Vector512<float> b0, Vector512<float> b1, Vector512<float> b2, Vector512<float> b3) = (default, default, default, default);
        for (nuint i = 0, width = (nuint)_words; i < width; i += (nuint)Lanes)
        {
            Vector512<float> firstA = Vector512.LoadUnsafe(ref evenA, i), secondA = Vector512.LoadUnsafe(ref oddA, i);
            Vector512<float> firstB = Vector512.LoadUnsafe(ref evenB, i), secondB = Vector512.LoadUnsafe(ref oddB, i);
            Vector512<uint> word = Vector512.LoadUnsafe(ref words, i);
            (a0, b0) = (Add(a0, word, firstA, secondA), Add(b0, word, firstB, secondB));
            word = Vector512.LoadUnsafe(ref words, i + width);
            (a1, b1) = (Add(a1, word, firstA, secondA), Add(b1, word, firstB, secondB));
            word = Vector512.LoadUnsafe(ref words, i + (2 * width));
            (a2, b2) = (Add(a2, word, firstA, secondA), Add(b2, word, firstB, secondB));
            word = Vector512.LoadUnsafe(ref words, i + (3 * width));
            (a3, b3) = (Add(a3, word, firstA, secondA), Add(b3, word, firstB, secondB));
        }

        return (Vector128.Create(Vector512.Sum(a0), Vector512.Sum(a1), Vector512.Sum(a2), Vector512.Sum(a3)),
            Vector128.Create(Vector512.Sum(b0), Vector512.Sum(b1), Vector512.Sum(b2), Vector512.Sum(b3)));
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

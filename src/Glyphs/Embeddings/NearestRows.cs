using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Serving.Glyphs.Embeddings;

/// <summary>
/// Exact nearest rows of a table by cosine: every row is compared, so nothing is approximate. The scan goes at the speed of
/// memory for one query, and several queries share each row that comes by. Thread-safe.
/// </summary>
public sealed class NearestRows
{
    /// <summary>Rows whose dot products are computed together; each is a stream for the prefetcher, and a chain of additions.</summary>
    private const int Tile = 4;

    /// <summary>Rows of one piece of work.</summary>
    private const int ChunkRows = 2048;

    private static readonly int Lanes = Vector512<float>.Count;

    private readonly FrozenTable _table;
    private readonly float[] _inverseNorms; // 0 for a row of zeros

    /// <summary>Reads the table once, for the lengths of its rows.</summary>
    public NearestRows(FrozenTable table)
    {
        _table = table;
        _inverseNorms = new float[table.Rows];
        Parallel.For(0, Chunks, chunk =>
        {
            for (int row = chunk * ChunkRows; row < EndOf(chunk); row++)
            {
                double norm = NormOf(row);
                _inverseNorms[row] = norm > 0 ? (float)(1 / norm) : 0;
            }
        });
    }

    /// <summary>A row's length.</summary>
    public double NormOf(int row)
    {
        double sum = 0;
        foreach (float value in _table.Row(row)) sum += (double)value * value;
        return Math.Sqrt(sum);
    }

    /// <summary>The cosine of two rows; 0 where one is all zeros.</summary>
    public float Cosine(int a, int b) => Scale(Dot(_table.Row(a), _table.Row(b)), a, b);

    /// <summary>The nearest rows of each of some rows, best first, the lowest id among equals; a row is not its own.</summary>
    /// <param name="rows">Whose.</param>
    /// <param name="count">How many, at least 1; fewer where the table has fewer.</param>
    public Neighbor[][] Of(ReadOnlySpan<int> rows, int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        int[] queries = rows.ToArray();
        count = Math.Min(count, _table.Rows - 1);
        if (count == 0) return [.. queries.Select(_ => Array.Empty<Neighbor>())];
        var chunks = new NearestList[Chunks][];
        Parallel.For(0, Chunks, chunk => chunks[chunk] = Scan(chunk, queries, count));
        return [.. queries.Select((_, query) => NearestList.Merge(chunks.Select(lists => lists[query]), count))];
    }

    private int Chunks => (_table.Rows + ChunkRows - 1) / ChunkRows;

    private int EndOf(int chunk) => Math.Min((chunk + 1) * ChunkRows, _table.Rows);

    private NearestList[] Scan(int chunk, int[] queries, int count)
    {
        var nearest = new NearestList[queries.Length];
        for (int i = 0; i < nearest.Length; i++) nearest[i] = new NearestList(count);
        (int row, int end) = (chunk * ChunkRows, EndOf(chunk));
        for (; row <= end - Tile; row += Tile)
        {
            for (int i = 0; i < queries.Length; i++)
            {
                Vector4 dots = Dots(_table.Row(queries[i]), row);
                for (int lane = 0; lane < Tile; lane++) Offer(nearest[i], queries[i], row + lane, dots[lane]);
            }
        }

        for (; row < end; row++)
        {
            for (int i = 0; i < queries.Length; i++)
                Offer(nearest[i], queries[i], row, Dot(_table.Row(queries[i]), _table.Row(row)));
        }

        return nearest;
    }

    private void Offer(NearestList nearest, int query, int row, float dot)
    {
        if (row != query) nearest.Offer(new Neighbor(row, Scale(dot, query, row)));
    }

    private float Scale(float dot, int a, int b) => Math.Clamp(dot * _inverseNorms[a] * _inverseNorms[b], -1, 1);

    /// <summary>The dot products of a vector and four rows, each the same bits as <see cref="Dot"/>.</summary>
    private Vector4 Dots(ReadOnlySpan<float> vector, int row)
    {
        int n = vector.Length;
        ref float x = ref MemoryMarshal.GetReference(vector);
        ref float y = ref MemoryMarshal.GetReference(_table.Values.Slice(row * n, Tile * n));
        (Vector512<float> sum0, Vector512<float> sum1, Vector512<float> sum2, Vector512<float> sum3) = (default, default, default, default);
        nuint i = 0, width = (nuint)n;
        for (; i + (nuint)Lanes <= width; i += (nuint)Lanes)
        {
            Vector512<float> at = Vector512.LoadUnsafe(ref x, i);
            sum0 = Vector512.FusedMultiplyAdd(at, Vector512.LoadUnsafe(ref y, i), sum0);
            sum1 = Vector512.FusedMultiplyAdd(at, Vector512.LoadUnsafe(ref y, i + width), sum1);
            sum2 = Vector512.FusedMultiplyAdd(at, Vector512.LoadUnsafe(ref y, i + (2 * width)), sum2);
            sum3 = Vector512.FusedMultiplyAdd(at, Vector512.LoadUnsafe(ref y, i + (3 * width)), sum3);
        }

        Vector4 sums = new(Vector512.Sum(sum0), Vector512.Sum(sum1), Vector512.Sum(sum2), Vector512.Sum(sum3));
        for (int rest = (int)i; rest < n; rest++)
        {
            ReadOnlySpan<float> at = _table.Values[((row * n) + rest)..];
            sums += vector[rest] * new Vector4(at[0], at[n], at[2 * n], at[3 * n]);
        }

        return sums;
    }

    private static float Dot(ReadOnlySpan<float> x, ReadOnlySpan<float> y)
    {
        Vector512<float> lanes = default;
        int i = 0;
        for (; i <= x.Length - Lanes; i += Lanes)
            lanes = Vector512.FusedMultiplyAdd(Vector512.Create(x[i..]), Vector512.Create(y[i..]), lanes);
        float sum = Vector512.Sum(lanes);
        for (; i < x.Length; i++) sum += x[i] * y[i];
        return sum;
    }
}

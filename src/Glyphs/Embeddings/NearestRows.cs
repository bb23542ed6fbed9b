namespace Serving.Glyphs.Embeddings;

/// <summary>
/// Exact nearest rows of a table by cosine. A copy of the table in bfloat16 is scanned first, because a scan takes as long as its
/// bytes take to arrive; no rounding moves a cosine by more than <see cref="RoundedCosines.LargestError"/>, so every row that could
/// be among the nearest is then compared in full precision. Thread-safe.
/// </summary>
/// <remarks>Takes half of the table's memory again.</remarks>
public sealed class NearestRows
{
    /// <summary>Rows of one piece of work.</summary>
    private const int ChunkRows = 2048;

    /// <summary>Queries of one scan: their cosines, half a megabyte each for 131,072 rows, shall stay near.</summary>
    private const int QueriesAtOnce = 16;

    private readonly FrozenTable _table;
    private readonly RoundedCosines _rounded;
    private readonly float[] _inverseNorms; // 0 for a row of zeros

    /// <summary>Reads the table once.</summary>
    public NearestRows(FrozenTable table)
    {
        _table = table;
        _inverseNorms = new float[table.Rows];
        _rounded = new RoundedCosines(table, _inverseNorms);
        Parallel.For(0, Chunks, chunk =>
        {
            var scratch = new float[table.Dimensions];
            for (int row = chunk * ChunkRows; row < EndOf(chunk); row++)
            {
                double norm = _table.Norm(row);
                _inverseNorms[row] = norm > 0 ? (float)(1 / norm) : 0;
                _rounded.Round(row, _table.Row(row, scratch));
            }
        });
    }

    /// <summary>The cosine of two rows; 0 where one is all zeros.</summary>
    public float Cosine(int a, int b) =>
        Math.Clamp(VectorMath.Dot(_table.Row(a), _table.Row(b)) * _inverseNorms[a] * _inverseNorms[b], -1, 1);

    /// <summary>The nearest rows of each of some rows, best first, the lowest id among equals; a row is not its own.</summary>
    /// <param name="rows">Whose.</param>
    /// <param name="count">How many, at least 1; fewer where the table has fewer.</param>
    public Neighbor[][] Of(ReadOnlySpan<int> rows, int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        count = Math.Min(count, _table.Rows - 1);
        var nearest = new List<Neighbor[]>(rows.Length);
        for (; rows.Length > 0; rows = rows[Math.Min(rows.Length, QueriesAtOnce)..])
            nearest.AddRange(Scan(rows[..Math.Min(rows.Length, QueriesAtOnce)].ToArray(), count));
        return [.. nearest];
    }

    private int Chunks => (_table.Rows + ChunkRows - 1) / ChunkRows;

    private int EndOf(int chunk) => Math.Min((chunk + 1) * ChunkRows, _table.Rows);

    private Neighbor[][] Scan(int[] queries, int count)
    {
        if (count == 0) return [.. queries.Select(_ => Array.Empty<Neighbor>())];
        RoundedCosines.Query[] prepared = [.. queries.Select(_rounded.Prepare)];
        float[][] cosines = [.. queries.Select(_ => GC.AllocateUninitializedArray<float>(_table.Rows))];
        var best = new float[Chunks][][];
        Parallel.For(0, Chunks, chunk =>
        {
            int start = chunk * ChunkRows, length = EndOf(chunk) - start;
            _rounded.Compute(prepared, start, length, cosines);
            best[chunk] = [.. queries.Select((query, i) => BestOf(cosines[i].AsSpan(start, length), query - start, count))];
        });
        var nearest = new Neighbor[queries.Length][];
        Parallel.For(0, queries.Length, i => nearest[i] = Refine(queries[i], cosines[i], best.SelectMany(chunk => chunk[i]), count));
        return nearest;
    }

    /// <summary>The largest cosines of a piece, in no order; the query's own is left out.</summary>
    private static float[] BestOf(Span<float> cosines, int own, int count)
    {
        if ((uint)own < (uint)cosines.Length) cosines[own] = float.NegativeInfinity;
        var best = new PriorityQueue<float, float>(count);
        foreach (float cosine in cosines)
        {
            if (best.Count < count) best.Enqueue(cosine, cosine);
            else if (cosine > best.Peek()) best.EnqueueDequeue(cosine, cosine);
        }

        return [.. best.UnorderedItems.Select(item => item.Element)];
    }

    /// <summary>Compares in full precision every row whose rounded cosine is within two errors of the last that counts.</summary>
    private Neighbor[] Refine(int query, float[] cosines, IEnumerable<float> best, int count)
    {
        float least = best.OrderDescending().ElementAt(count - 1) - (2 * RoundedCosines.LargestError);
        var candidates = new List<Neighbor>();
        for (int row = 0; row < cosines.Length; row++)
            if (cosines[row] >= least) candidates.Add(new Neighbor(row, Cosine(query, row)));
        return [.. candidates.OrderByDescending(one => one.Cosine).ThenBy(one => one.Id).Take(count)];
    }
}

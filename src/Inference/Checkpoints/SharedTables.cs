using Serving.Glyphs.Embeddings;

namespace Serving.Inference.Checkpoints;

/// <summary>
/// One object for each different table, however many models use it; a table that no model uses any more is collected.
/// Thread-safe.
/// </summary>
internal sealed class SharedTables
{
    private const int SampledRows = 64;

    private readonly Lock _lock = new();
    private readonly List<(int Sample, WeakReference<FrozenTable> Table)> _tables = [];

    /// <summary>The tables of all models of this process.</summary>
    public static SharedTables Process { get; } = new();

    /// <summary>The first table with these values: the given one, or an equal one that is already in use. Compared bit by bit,
    /// with those of the same sample.</summary>
    public FrozenTable Share(FrozenTable table)
    {
        int sample = SampleOf(table);
        lock (_lock)
        {
            _tables.RemoveAll(held => !held.Table.TryGetTarget(out _));
            foreach ((int other, WeakReference<FrozenTable> held) in _tables)
            {
                if (other == sample && held.TryGetTarget(out FrozenTable? equal) && equal.HasBitsOf(table))
                    return equal;
            }

            _tables.Add((sample, new WeakReference<FrozenTable>(table)));
            return table;
        }
    }

    private static int SampleOf(FrozenTable table)
    {
        var sample = new HashCode();
        sample.Add(table.Rows);
        sample.Add(table.Dimensions);
        for (long i = 0; i < SampledRows; i++)
            sample.AddBytes(table.RowBytes((int)(i * (table.Rows - 1) / (SampledRows - 1))));
        return sample.ToHashCode();
    }
}

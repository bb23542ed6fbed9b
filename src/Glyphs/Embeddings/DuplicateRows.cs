namespace Serving.Glyphs.Embeddings;

/// <summary>Rows of a table that are the same bytes: tokens that a model cannot tell apart. Immutable.</summary>
public sealed class DuplicateRows
{
    private readonly Dictionary<int, int[]> _groups = []; // by each member

    /// <summary>Reads the whole table.</summary>
    public DuplicateRows(FrozenTable table)
    {
        var hashes = new int[table.Rows];
        Parallel.For(0, table.Rows, row => hashes[row] = HashOf(table.RowBytes(row)));
        foreach (IGrouping<int, int> sameHash in Enumerable.Range(0, table.Rows).GroupBy(row => hashes[row]).Where(group => group.Skip(1).Any()))
            AddGroups(table, [.. sameHash]);
    }

    /// <summary>How many rows repeat an earlier one.</summary>
    public int Count { get; private set; }

    /// <summary>The other rows that equal a row, ascending; empty for a row that is unique.</summary>
    public IEnumerable<int> Of(int row) => _groups.TryGetValue(row, out int[]? group) ? group.Where(other => other != row) : [];

    // Rows of one hash need not be equal.
    private void AddGroups(FrozenTable table, List<int> rows)
    {
        while (rows.Count > 0)
        {
            int[] equal = [.. rows.Where(row => table.RowBytes(row).SequenceEqual(table.RowBytes(rows[0])))];
            rows.RemoveAll(equal.Contains);
            if (equal.Length == 1) continue;
            Count += equal.Length - 1;
            foreach (int row in equal) _groups.Add(row, equal);
        }
    }

    private static int HashOf(ReadOnlySpan<byte> row)
    {
        var hash = new HashCode();
        hash.AddBytes(row);
        return hash.ToHashCode();
    }
}

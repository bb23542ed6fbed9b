using Serving.Glyphs.Embeddings;

namespace Serving.Inference.Checkpoints;

/// <summary>
/// One object for each different frozen table, however many models use it; a table that no model uses any more is
/// collected. Thread-safe.
/// </summary>
internal sealed class SharedTables
{
    /// <summary>The tables of all models of this process.</summary>
    public static SharedTables Process { get; } = new();

    private readonly Lock _lock = new();
    private readonly Dictionary<string, WeakReference<FrozenTable>> _tables = new(StringComparer.Ordinal);

    /// <summary>The table of this fingerprint, if a model still uses it.</summary>
    public FrozenTable? Find(string fingerprint)
    {
        lock (_lock)
        {
            FrozenTable? table = null;
            _ = _tables.TryGetValue(fingerprint, out WeakReference<FrozenTable>? held) && held.TryGetTarget(out table);
            return table;
        }
    }

    /// <summary>The first table with this content: the given one, or an equal one that is already in use.</summary>
    public FrozenTable Share(FrozenTable table)
    {
        string fingerprint = table.Fingerprint;
        lock (_lock)
        {
            if (Find(fingerprint) is { } held)
                return held;
            _tables[fingerprint] = new WeakReference<FrozenTable>(table);
            return table;
        }
    }
}

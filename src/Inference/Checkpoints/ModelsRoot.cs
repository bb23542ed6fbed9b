namespace Serving.Inference.Checkpoints;

/// <summary>
/// A folder of models: each child with a config.json is one and its name is the model's id; <c>substrates/</c> holds the
/// frozen tables that they share. Thread-safe.
/// </summary>
public sealed class ModelsRoot
{
    private const string SubstratesFolder = "substrates";

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Substrate> _substrates = new(StringComparer.Ordinal);

    private ModelsRoot(string path, IReadOnlyList<ModelFolder> models)
    {
        (Path, Models) = (path, models);
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>The models found, by id.</summary>
    public IReadOnlyList<ModelFolder> Models { get; }

    /// <summary>Lists the models of a folder; loads nothing.</summary>
    /// <exception cref="CheckpointException">There is no such folder.</exception>
    public static ModelsRoot Scan(string path)
    {
        if (!Directory.Exists(path))
        {
            throw new CheckpointException(path, "folder", "a folder of models", "none",
                "Create it, or name another with --models.");
        }

        IEnumerable<ModelFolder> models =
            from child in Directory.EnumerateDirectories(path)
            where File.Exists(System.IO.Path.Combine(child, "config.json"))
            select new ModelFolder(System.IO.Path.GetFileName(child), child);
        return new ModelsRoot(path, [.. models.OrderBy(model => model.Id, StringComparer.Ordinal)]);
    }

    /// <summary>The substrate whose table has this fingerprint, loaded at most once.</summary>
    /// <exception cref="CheckpointException">There is none, or it is damaged.</exception>
    public Substrate FindSubstrate(string fingerprint)
    {
        lock (_lock)
        {
            if (!_substrates.TryGetValue(fingerprint, out Substrate? substrate))
            {
                substrate = LoadSubstrate(fingerprint);
                _substrates.Add(fingerprint, substrate);
            }

            return substrate;
        }
    }

    private Substrate LoadSubstrate(string fingerprint)
    {
        string folder = System.IO.Path.Combine(Path, SubstratesFolder);
        if (Directory.Exists(folder))
        {
            foreach (string child in Directory.EnumerateDirectories(folder).Order(StringComparer.Ordinal))
            {
                if (Substrate.ClaimedFingerprint(child) == fingerprint)
                {
                    Substrate substrate = Substrate.Load(child);
                    return substrate with { Table = SharedTables.Process.Share(substrate.Table) };
                }
            }
        }

        throw new CheckpointException(folder, "substrate", $"a table with fingerprint {fingerprint}", "none",
            "Build it with the 'embed' command, or copy its folder here.");
    }
}

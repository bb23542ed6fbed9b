namespace Serving.Testing;

/// <summary>A models root of its own, to be spoiled by a test; deleted afterwards.</summary>
internal sealed class CheckpointCopies : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("serving-models-").FullName;

    /// <summary>Copies a small checkpoint under a name.</summary>
    /// <returns>Its folder.</returns>
    public string Add(string checkpoint, string name)
    {
        string folder = Directory.CreateDirectory(System.IO.Path.Combine(Path, name)).FullName;
        foreach (string file in Directory.EnumerateFiles(TestData.Path("checkpoints", checkpoint)))
            File.Copy(file, System.IO.Path.Combine(folder, System.IO.Path.GetFileName(file)));
        return folder;
    }

    /// <summary>Copies a small checkpoint and cuts its weights in the middle.</summary>
    public void AddTruncated(string checkpoint, string name)
    {
        using FileStream weights = File.OpenWrite(System.IO.Path.Combine(Add(checkpoint, name), "model.safetensors"));
        weights.SetLength(weights.Length / 2);
    }

    /// <summary>Copies the checkpoint "plain" with a context longer than a pipe holds, and than anybody waits for.</summary>
    public void AddEndless(string name)
    {
        string config = System.IO.Path.Combine(Add("plain", name), "config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"block_size\": 48", "\"block_size\": 120000", StringComparison.Ordinal));
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

using System.Text.Json;

namespace Serving.Inference.Checkpoints;

/// <summary>A folder with a checkpoint: <c>config.json</c> and <c>model.safetensors</c>, or shards and their index. Keeps the
/// weight files open until disposed; reading is thread-safe.</summary>
public sealed class CheckpointFolder : IDisposable
{
    private const string SingleFile = "model.safetensors";
    private const string IndexFile = "model.safetensors.index.json";
    private const string PickleFile = "pytorch_model.bin";
    private const int MaxShards = 1024;

    private readonly List<SafetensorsFile> _files = [];
    private readonly Dictionary<string, Tensor> _tensors = new(StringComparer.Ordinal);

    private CheckpointFolder(string path, ModelConfig config)
    {
        (Path, Config) = (path, config);
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>What its config.json says.</summary>
    public ModelConfig Config { get; }

    /// <summary>All tensors by name. Readable until the folder is disposed.</summary>
    public IReadOnlyDictionary<string, Tensor> Tensors => _tensors;

    /// <summary>Opens a checkpoint and checks every header.</summary>
    /// <exception cref="CheckpointException">A file is missing or breaks its format.</exception>
    public static CheckpointFolder Open(string path)
    {
        var folder = new CheckpointFolder(path, ModelConfig.Read(System.IO.Path.Combine(path, "config.json")));
        try
        {
            folder.OpenFiles();
            return folder;
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    /// <summary>Closes the weight files.</summary>
    public void Dispose() => _files.ForEach(file => file.Dispose());

    private string PathOf(string file) => System.IO.Path.Combine(Path, file);

    private void OpenFiles()
    {
        if (File.Exists(PathOf(SingleFile)))
            AddFile(SingleFile);
        else if (File.Exists(PathOf(IndexFile)))
            OpenShards();
        else if (File.Exists(PathOf(PickleFile)))
        {
            throw new CheckpointException(PathOf(PickleFile), "file", SingleFile, "a PyTorch pickle archive",
                "Save the model with safe_serialization=True, or convert the file to safetensors.");
        }
        else
            throw new CheckpointException(Path, "folder", $"{SingleFile} or {IndexFile}", "neither");
    }

    private void OpenShards()
    {
        Dictionary<string, string> shardOf = ReadIndex();
        string[] shards = [.. shardOf.Values.Distinct().Order(StringComparer.Ordinal)];
        if (shards.Length is 0 or > MaxShards)
            throw new CheckpointException(PathOf(IndexFile), "key 'weight_map'", $"1 to {MaxShards} shards", $"{shards.Length}");
        foreach (string shard in shards)
            AddFile(shard);
        foreach ((string name, string shard) in shardOf)
        {
            if (!_tensors.TryGetValue(name, out Tensor? tensor) || tensor.Path != PathOf(shard))
                throw new CheckpointException(PathOf(shard), $"tensor '{name}'", "it in this shard, as the index says", "none");
        }
    }

    private Dictionary<string, string> ReadIndex()
    {
        string path = PathOf(IndexFile);
        using JsonDocument index = JsonFile.Read(path);
        if (!index.RootElement.TryGetProperty("weight_map", out JsonElement map) || map.ValueKind != JsonValueKind.Object)
            throw new CheckpointException(path, "key 'weight_map'", "an object of tensor names and file names", "none");
        var shardOf = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (JsonProperty entry in map.EnumerateObject())
            shardOf.Add(entry.Name, ShardName(path, entry));
        return shardOf;
    }

    // A plain file name: an index must not lead out of its folder.
    private static string ShardName(string path, JsonProperty entry)
    {
        string? shard = entry.Value.ValueKind == JsonValueKind.String ? entry.Value.GetString() : null;
        bool plain = shard is not null && shard.EndsWith(".safetensors", StringComparison.Ordinal)
            && shard.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.') && shard[0] != '.';
        return plain
            ? shard!
            : throw new CheckpointException(path, $"shard of tensor '{entry.Name}'",
                "a plain file name that ends in .safetensors", entry.Value.GetRawText());
    }

    private void AddFile(string name)
    {
        SafetensorsFile file = SafetensorsFile.Open(PathOf(name));
        _files.Add(file);
        foreach ((string tensorName, Tensor tensor) in file.Tensors)
        {
            if (!_tensors.TryAdd(tensorName, tensor))
                throw new CheckpointException(file.Path, $"tensor '{tensorName}'", "it in one shard", "a second one");
        }
    }
}

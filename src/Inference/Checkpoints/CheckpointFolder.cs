using System.Text.Json;

namespace Serving.Inference.Checkpoints;

/// <summary>A folder with a checkpoint: <c>config.json</c> and <c>model.safetensors</c>, or shards and their index; or
/// <c>pytorch_model.bin</c>, whole or in shards, where there are no safetensors. A frozen table that is not among the weights
/// may lie beside them in <c>normalized_embeddings_weights.pt</c>, and an operator's corrections in <c>serving.json</c>. Keeps the files open until disposed; reading is
/// thread-safe.</summary>
public sealed class CheckpointFolder : IDisposable
{
    private const string SingleFile = "model.safetensors";
    private const string PickleFile = "pytorch_model.bin";
    private const string IndexSuffix = ".index.json";
    private const string TableFile = "normalized_embeddings_weights.pt";
    private const string TableName = "token_embeddings.weight";
    private const int MaxShards = 1024;

    private readonly List<IDisposable> _files = [];
    private readonly Dictionary<string, Tensor> _tensors = new(StringComparer.Ordinal);

    private CheckpointFolder(string path, ModelConfig config)
    {
        (Path, Config) = (path, config);
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>What its config.json says, with the corrections of its serving.json.</summary>
    public ModelConfig Config { get; }

    /// <summary>All tensors by name. Readable until the folder is disposed.</summary>
    public IReadOnlyDictionary<string, Tensor> Tensors => _tensors;

    /// <summary>Opens a checkpoint and checks every header.</summary>
    /// <exception cref="CheckpointException">A file is missing or breaks its format.</exception>
    public static CheckpointFolder Open(string path)
    {
        var config = ModelConfig.Read(System.IO.Path.Combine(path, "config.json"));
        var overrides = ServingOverrides.Read(path);
        var folder = new CheckpointFolder(path, overrides.Apply(config));
        try
        {
            folder.OpenWeights();
            overrides.Rename(path, folder._tensors);
            folder.OpenTable();
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

    private void OpenWeights()
    {
        string? file = new[] { SingleFile, SingleFile + IndexSuffix, PickleFile, PickleFile + IndexSuffix }
            .FirstOrDefault(name => File.Exists(PathOf(name)));
        if (file is null)
            throw new CheckpointException(Path, "folder", $"{SingleFile}, {PickleFile} or an index of shards", "none of them");
        if (file.EndsWith(IndexSuffix, StringComparison.Ordinal))
            OpenShards(file);
        else
            AddFile(file);
    }

    private void OpenTable()
    {
        if (File.Exists(PathOf(TableFile)) && !_tensors.Keys.Any(IsTable))
            Add(TorchArchive.Open(PathOf(TableFile), TableName));
    }

    private static bool IsTable(string name) => TensorNames.Classify(name)?.Role == TensorRole.Embedding;

    private void OpenShards(string indexFile)
    {
        string index = PathOf(indexFile);
        Dictionary<string, string> shardOf = ReadIndex(index, System.IO.Path.GetExtension(indexFile[..^IndexSuffix.Length]));
        string[] shards = [.. shardOf.Values.Distinct().Order(StringComparer.Ordinal)];
        if (shards.Length is 0 or > MaxShards)
            throw new CheckpointException(index, "key 'weight_map'", $"1 to {MaxShards} shards", $"{shards.Length}");
        foreach (string shard in shards)
            AddFile(shard);
        foreach ((string name, string shard) in shardOf)
        {
            if (!_tensors.TryGetValue(name, out Tensor? tensor) || tensor.Path != PathOf(shard))
                throw new CheckpointException(PathOf(shard), $"tensor '{name}'", "it in this shard, as the index says", "none");
        }
    }

    private static Dictionary<string, string> ReadIndex(string path, string extension)
    {
        using JsonDocument index = JsonFile.Read(path);
        if (!index.RootElement.TryGetProperty("weight_map", out JsonElement map) || map.ValueKind != JsonValueKind.Object)
            throw new CheckpointException(path, "key 'weight_map'", "an object of tensor names and file names", "none");
        var shardOf = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (JsonProperty entry in map.EnumerateObject())
            shardOf.Add(entry.Name, ShardName(path, entry, extension));
        return shardOf;
    }

    // A plain file name: an index must not lead out of its folder.
    private static string ShardName(string path, JsonProperty entry, string extension)
    {
        string? shard = entry.Value.ValueKind == JsonValueKind.String ? entry.Value.GetString() : null;
        bool plain = shard is not null && shard.EndsWith(extension, StringComparison.Ordinal)
            && shard.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.') && shard[0] != '.';
        return plain
            ? shard!
            : throw new CheckpointException(path, $"shard of tensor '{entry.Name}'",
                $"a plain file name that ends in {extension}", entry.Value.GetRawText());
    }

    private void AddFile(string name)
    {
        if (name.EndsWith(".bin", StringComparison.Ordinal))
            Add(TorchArchive.Open(PathOf(name)));
        else
            Add(SafetensorsFile.Open(PathOf(name)));
    }

    private void Add(SafetensorsFile file)
    {
        _files.Add(file);
        Add(file.Path, file.Tensors);
    }

    private void Add(TorchArchive file)
    {
        _files.Add(file);
        Add(file.Path, file.Tensors);
    }

    private void Add(string path, IReadOnlyDictionary<string, Tensor> tensors)
    {
        foreach ((string name, Tensor tensor) in tensors)
        {
            if (!_tensors.TryAdd(name, tensor))
                throw new CheckpointException(path, $"tensor '{name}'", "it in one shard", "a second one");
        }
    }
}

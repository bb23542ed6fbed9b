using System.Text.Json;
using Serving.Glyphs.Embeddings;

namespace Serving.Inference.Checkpoints;

/// <summary>A frozen table that several models stand on, and the tokenizer whose tokens are its rows: a folder with
/// <c>table.safetensors</c> (tensor <c>embeddings</c> [V, dim] F32), <c>table.json</c> and <c>tokenizer.json</c>.</summary>
public sealed record Substrate
{
    /// <summary>The folder.</summary>
    public required string Path { get; init; }

    /// <summary>The table; the same object for every model that uses it.</summary>
    public required FrozenTable Table { get; init; }

    /// <summary>Its tokenizer.json; null = there is none.</summary>
    public string? TokenizerPath { get; init; }

    /// <summary>How the table was made; null = not said.</summary>
    public string? Recipe { get; init; }

    /// <summary>The fingerprint that a folder's table.json claims; null if it is not a substrate.</summary>
    internal static string? ClaimedFingerprint(string folder)
    {
        string path = DescriptionOf(folder);
        if (!File.Exists(path))
            return null;
        using JsonDocument description = JsonFile.Read(path);
        return new ConfigKeys(path, description.RootElement).Fingerprint("fingerprint");
    }

    /// <summary>Loads a substrate and checks that its table is what table.json says.</summary>
    /// <exception cref="CheckpointException">A file is missing or malformed, or the table's fingerprint differs.</exception>
    internal static Substrate Load(string folder)
    {
        using JsonDocument description = JsonFile.Read(DescriptionOf(folder));
        FrozenTable table = ReadTable(System.IO.Path.Combine(folder, "table.safetensors"));
        string? claimed = ClaimedFingerprint(folder);
        if (table.Fingerprint != claimed)
        {
            throw new CheckpointException(DescriptionOf(folder), "key 'fingerprint'", table.Fingerprint, claimed ?? "nothing",
                "The table is not the one described; build it again.");
        }

        string tokenizer = System.IO.Path.Combine(folder, "tokenizer.json");
        return new Substrate
        {
            Path = folder,
            Table = table,
            TokenizerPath = File.Exists(tokenizer) ? tokenizer : null,
            Recipe = new ConfigKeys(DescriptionOf(folder), description.RootElement).Text("recipe"),
        };
    }

    private static FrozenTable ReadTable(string path)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        if (!file.Tensors.TryGetValue("embeddings", out Tensor? tensor))
            throw new CheckpointException(path, "tensor 'embeddings'", "it to be there", "none");
        bool fits = tensor.Shape is [>= 1 and <= 1 << 24, >= 1 and <= 1 << 16] && tensor.Elements <= Array.MaxLength;
        if (tensor.DType != DType.F32 || !fits)
            throw new CheckpointException(path, "tensor 'embeddings'", "F32 [tokens, dimensions]", tensor.ToString());
        return new FrozenTable((int)tensor.Shape[0], (int)tensor.Shape[1], tensor.ToFloats());
    }

    private static string DescriptionOf(string folder) => System.IO.Path.Combine(folder, "table.json");
}

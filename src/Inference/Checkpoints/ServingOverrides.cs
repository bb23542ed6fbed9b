using System.Text.Json;
using System.Text.Json.Nodes;
using Serving.Glyphs.Embeddings;

namespace Serving.Inference.Checkpoints;

/// <summary>
/// What an operator says of a checkpoint whose files do not say it, or say it wrongly: a <c>serving.json</c> beside it with
/// any of <c>rope_pairing</c>, <c>input_lift</c>, <c>norm</c>, <c>norm_epsilon</c>, <c>activation</c>, <c>n_head</c>, <c>code_matrix</c>
/// and <c>code_offset</c>, and <c>names</c>: a map of tensor names to the names they should have. Anything else in it is refused, because
/// a misspelt key would change nothing in silence.
/// </summary>
internal sealed record ServingOverrides
{
    /// <summary>The file beside a checkpoint.</summary>
    public const string FileName = "serving.json";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private static readonly string[] Keys = ["rope_pairing", "input_lift", "norm", "norm_epsilon", "activation", "n_head", "code_matrix", "code_offset", "names"];

    public RopePairing? RopePairing { get; init; }

    public InputLift? InputLift { get; init; }

    public NormKind? Norm { get; init; }

    public double? NormEpsilon { get; init; }

    public Activation? Activation { get; init; }

    public int? Heads { get; init; }

    public TokenCode? Code { get; init; }

    /// <summary>Names as the files have them, and as they should be.</summary>
    public IReadOnlyDictionary<string, string> Names { get; init; } = new Dictionary<string, string>();

    /// <summary>Reads a folder's overrides; without the file there are none.</summary>
    /// <exception cref="CheckpointException">The file is malformed, or has an unknown key or value.</exception>
    public static ServingOverrides Read(string folder)
    {
        string path = System.IO.Path.Combine(folder, FileName);
        if (!File.Exists(path))
            return new ServingOverrides();
        using JsonDocument document = JsonFile.Read(path);
        foreach (JsonProperty property in document.RootElement.EnumerateObject())
        {
            if (!Keys.Contains(property.Name) && !GrownFamily.Keys.Contains(property.Name))
                throw new CheckpointException(path, $"key '{property.Name}'", $"one of {string.Join(", ", Keys.Concat(GrownFamily.Keys))}", "another");
        }

        var keys = new ConfigKeys(path, document.RootElement);
        return new ServingOverrides
        {
            RopePairing = keys.Choice<RopePairing>("rope_pairing"),
            InputLift = keys.Choice<InputLift>("input_lift"),
            Norm = keys.Choice<NormKind>("norm"),
            NormEpsilon = keys.Epsilon("norm_epsilon"),
            Activation = keys.Activation("activation"),
            Heads = keys.Int32(1024, "n_head"),
            Code = keys.Code("code_matrix", "code_offset"),
            Names = NamesOf(path, document.RootElement),
        };
    }

    /// <summary>Sets keys in a folder's file, keeping all others; it is made if it is not there, and replaced as a whole.</summary>
    public static void Set(string folder, IReadOnlyDictionary<string, JsonNode> values)
    {
        string path = System.IO.Path.Combine(folder, FileName), partial = path + ".partial";
        JsonObject file = File.Exists(path) ? JsonNode.Parse(File.ReadAllBytes(path))!.AsObject() : [];
        foreach ((string key, JsonNode value) in values)
            file[key] = value;
        File.WriteAllText(partial, file.ToJsonString(Indented) + "\n");
        File.Move(partial, path, overwrite: true);
    }

    /// <summary>A configuration with these values in the place of its own.</summary>
    public ModelConfig Apply(ModelConfig config) => config with
    {
        RopePairing = RopePairing ?? config.RopePairing,
        InputLift = InputLift ?? config.InputLift,
        Norm = Norm ?? config.Norm,
        NormEpsilon = NormEpsilon ?? config.NormEpsilon,
        Activation = Activation ?? config.Activation,
        Heads = Heads ?? config.Heads,
        Code = Code ?? config.Code,
    };

    /// <summary>Gives tensors the names that they should have.</summary>
    /// <exception cref="CheckpointException">A name to change is not there, or a new name is taken.</exception>
    public void Rename(string folder, Dictionary<string, Tensor> tensors)
    {
        string path = System.IO.Path.Combine(folder, FileName);
        var renamed = new List<Tensor>(Names.Count);
        foreach ((string name, string wanted) in Names)
        {
            if (!tensors.Remove(name, out Tensor? tensor))
                throw new CheckpointException(path, $"names, '{name}'", "a tensor of the checkpoint", "none of this name");
            renamed.Add(tensor.Named(wanted));
        }

        foreach (Tensor tensor in renamed)
        {
            if (!tensors.TryAdd(tensor.Name, tensor))
                throw new CheckpointException(path, "names", $"one tensor to be '{tensor.Name}'", "two");
        }
    }

    private static Dictionary<string, string> NamesOf(string path, JsonElement root)
    {
        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        if (!root.TryGetProperty("names", out JsonElement map))
            return names;
        if (map.ValueKind != JsonValueKind.Object)
            throw new CheckpointException(path, "key 'names'", "an object of tensor names", $"{map.ValueKind}");
        foreach (JsonProperty entry in map.EnumerateObject())
        {
            string? wanted = entry.Value.ValueKind == JsonValueKind.String ? entry.Value.GetString() : null;
            if (wanted is null || TensorNames.Place(wanted) is null)
            {
                throw new CheckpointException(path, $"names, '{entry.Name}'",
                    "a name with a known role, such as \"transformer_layers.0.self_attn.q_proj.weight\"", entry.Value.GetRawText());
            }

            names.Add(entry.Name, wanted);
        }

        return names;
    }
}

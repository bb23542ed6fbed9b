using System.Globalization;
using System.Text.Json;
using Serving.Inference.Speculation;

namespace Serving.Inference.Checkpoints;

/// <summary>
/// What a <c>serving.json</c> says of a model that grew block by block, or of how it guesses ahead:
/// <c>{"stages": {"1": "glyph-en-1"}, "speculate": {"source": "depth", "depth": 1, "tokens": 4}}</c>. A stage is a model of the same root
/// whose blocks are this one's first, bit for bit; <c>speculate</c> may also have the source <c>lookup</c>, without a depth.
/// </summary>
/// <param name="Stages">The earlier stages by their number of blocks.</param>
/// <param name="Speculation">How tokens are guessed ahead; null = they are not.</param>
/// <param name="DraftDepth">The stage that guesses, when the source is <see cref="DraftSource.Depth"/>.</param>
public sealed record GrownFamily(IReadOnlyDictionary<int, string> Stages, SpeculationOptions? Speculation, int? DraftDepth)
{
    /// <summary>The keys of serving.json that are read here.</summary>
    internal static readonly string[] Keys = ["stages", "speculate"];

    private const string SpeculateForm = """{"source": "lookup", "tokens": 4} or {"source": "depth", "depth": 1, "tokens": 4}""";

    /// <summary>Reads a folder's declarations; without the file there are none.</summary>
    /// <exception cref="CheckpointException">They are malformed.</exception>
    public static GrownFamily Read(string folder)
    {
        string path = Path.Combine(folder, "serving.json");
        if (!File.Exists(path))
            return new GrownFamily(new Dictionary<int, string>(), null, null);
        using JsonDocument document = JsonFile.Read(path);
        Dictionary<int, string> stages = StagesOf(path, document.RootElement);
        if (!document.RootElement.TryGetProperty("speculate", out JsonElement speculate))
            return new GrownFamily(stages, null, null);
        if (speculate.ValueKind != JsonValueKind.Object)
            throw new CheckpointException(path, "key 'speculate'", SpeculateForm, $"{speculate.ValueKind}");
        var keys = new ConfigKeys(path, speculate);
        foreach (JsonProperty key in speculate.EnumerateObject().Where(key => key.Name is not ("source" or "depth" or "tokens")))
            throw new CheckpointException(path, $"key 'speculate.{key.Name}'", SpeculateForm, "another key");
        DraftSource source = keys.Choice<DraftSource>("source") ?? throw new CheckpointException(path, "key 'speculate.source'", SpeculateForm, "none");
        int? depth = keys.Int32(1024, "depth");
        if (source == DraftSource.Depth != depth is not null || (depth is { } declared && !stages.ContainsKey(declared)))
            throw new CheckpointException(path, "key 'speculate.depth'", "one of 'stages' with the source depth, none with lookup", depth?.ToString(CultureInfo.InvariantCulture) ?? "none");
        int tokens = keys.Int32(SpeculationOptions.MostTokens, "tokens") ?? SpeculationOptions.DefaultTokens;
        return new GrownFamily(stages, new SpeculationOptions(source, tokens), depth);
    }

    private static Dictionary<int, string> StagesOf(string path, JsonElement root)
    {
        var stages = new Dictionary<int, string>();
        if (!root.TryGetProperty("stages", out JsonElement map))
            return stages;
        if (map.ValueKind != JsonValueKind.Object)
            throw new CheckpointException(path, "key 'stages'", """an object such as {"1": "name of a model"}""", $"{map.ValueKind}");
        foreach (JsonProperty stage in map.EnumerateObject())
        {
            bool isStage = int.TryParse(stage.Name, NumberStyles.None, CultureInfo.InvariantCulture, out int blocks) && blocks > 0
                && stage.Value.ValueKind == JsonValueKind.String;
            if (!isStage || !stages.TryAdd(blocks, stage.Value.GetString()!))
                throw new CheckpointException(path, $"stages, '{stage.Name}'", "a number of blocks and the name of a model", stage.Value.GetRawText());
        }
        return stages;
    }

    /// <summary>Checks that a model's first blocks are those of a stage.</summary>
    /// <exception cref="CheckpointException">They are not, bit for bit.</exception>
    public static void Check(LoadedModel model, LoadedModel stage, int depth)
    {
        TransformerWeights whole = model.Weights, first = stage.Weights;
        string place = Path.Combine(model.Path, "serving.json");
        if (model.Experts.Count > 1 || first.Blocks.Count != depth || depth >= whole.Blocks.Count)
            throw new CheckpointException(place, $"stages, '{depth}'", $"a model of {depth} blocks, fewer than the {whole.Blocks.Count} of this one", $"{first.Blocks.Count} in '{stage.Id}'");
        bool isOfOneShape = (whole.Table.Fingerprint, whole.VocabularySize, whole.Width, whole.Heads, whole.Norm, whole.RopePairing, whole.InputLift)
            == (first.Table.Fingerprint, first.VocabularySize, first.Width, first.Heads, first.Norm, first.RopePairing, first.InputLift);
        for (int block = 0; block < depth && isOfOneShape; block++)
            isOfOneShape = Tensors(whole.Blocks[block]).Zip(Tensors(first.Blocks[block])).All(pair => AreEqual(pair.First, pair.Second));
        if (!isOfOneShape)
            throw new CheckpointException(place, $"stages, '{depth}'", "a model on the same table whose blocks are this one's first, bit for bit", $"'{stage.Id}', which differs");
    }

    private static IEnumerable<Tensor?> Tensors(BlockWeights block) =>
    [
        block.AttentionNorm.Weight, block.AttentionNorm.Bias, block.MlpNorm.Weight, block.MlpNorm.Bias,
        .. new[] { block.Query, block.Key, block.Value, block.Output, block.Up, block.Down }.SelectMany(linear => new[] { linear.Weight, linear.Scales, linear.Bias }),
    ];

    private static bool AreEqual(Tensor? one, Tensor? other)
    {
        if (one is null || other is null)
            return one is null && other is null;
        if (one.DType != other.DType || one.Bytes != other.Bytes)
            return false;
        byte[] first = new byte[Math.Min(one.Bytes, 1 << 20)], second = new byte[first.Length];
        for (long at = 0; at < one.Bytes; at += first.Length)
        {
            int count = (int)Math.Min(first.Length, one.Bytes - at);
            one.Read(at, first.AsSpan(0, count));
            other.Read(at, second.AsSpan(0, count));
            if (!first.AsSpan(0, count).SequenceEqual(second.AsSpan(0, count)))
                return false;
        }
        return true;
    }
}

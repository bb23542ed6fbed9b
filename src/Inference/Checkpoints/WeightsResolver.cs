using Serving.Glyphs.Embeddings;

namespace Serving.Inference.Checkpoints;

/// <summary>
/// Makes models of named tensors: finds each by its role, takes sizes from shapes, biases and norms by their presence, and
/// refuses what is missing, doubled, unknown or of the wrong shape.
/// </summary>
public sealed class WeightsResolver
{
    private const int DefaultHeads = 32;
    private const int DefaultContext = 1024;
    private const double DefaultEpsilon = 1e-5;
    private const int MaxExperts = 16;

    private readonly ModelConfig _config;
    private readonly Dictionary<TensorKey, Tensor> _tensors = [];
    private readonly List<string> _notes = [];
    private readonly bool _isTransposed;

    private WeightsResolver(ModelConfig config, CheckpointExpert expert)
    {
        _config = config;
        foreach ((TensorKey key, Tensor tensor) in expert.Tensors)
            Add(key, tensor);
        _isTransposed = IsTransposed();
    }

    /// <summary>Resolves a checkpoint.</summary>
    /// <param name="config">Its config.json.</param>
    /// <param name="tensors">All its tensors.</param>
    /// <param name="substrate">Called for the frozen table if the checkpoint has none but names a substrate.</param>
    /// <returns>The models: one, or all experts of a file that holds several.</returns>
    /// <exception cref="CheckpointException">The tensors do not make models of this family.</exception>
    public static IReadOnlyList<TransformerWeights> Resolve(
        ModelConfig config, IEnumerable<Tensor> tensors, Func<FrozenTable>? substrate = null)
    {
        IReadOnlyList<CheckpointExpert> experts = CheckpointExpert.Of(tensors, out IReadOnlyList<Tensor> unknown);
        if (unknown.FirstOrDefault(tensor => TensorNames.IsGate(tensor.Name)) is { } gate)
        {
            throw Bad(gate, "an MLP of two matrices", "the gate of one of three, as LLaMA's",
                "This architecture is not of the family; serve the model with a server that computes gated MLPs.");
        }

        if (unknown.Count > 0)
        {
            throw Bad(unknown[0], "a name this family has", "one with no known role",
                "Leaving it out would change the model's answers: say what it is under names in a serving.json.");
        }

        if (experts.Count > MaxExperts)
            throw new CheckpointException(config.Path, "experts", $"at most {MaxExperts}", $"{experts.Count}");
        TransformerWeights[] models = [.. experts.Select(expert => new WeightsResolver(config, expert).Build(expert.Name, substrate))];
        TransformerWeights? stranger = models.FirstOrDefault(model => model.VocabularySize != models[0].VocabularySize);
        return stranger is null
            ? models
            : throw Misshapen(stranger.Head.Weight, $"[{models[0].VocabularySize}, width], as in '{models[0].Name}'");
    }

    private void Add(TensorKey key, Tensor tensor)
    {
        if (key.Role == TensorRole.Buffer)
            return;
        bool isCode = key.Role is TensorRole.CodeMatrix or TensorRole.CodeOffset;
        bool isNumbers = tensor.DType == DType.I8 && key is { IsBias: false, IsScale: false } && IsMatrix(key.Role);
        if (!tensor.DType.IsWeight() && !isCode && !isNumbers)
            throw Bad(tensor, "F32, BF16 or F16", $"{tensor.DType}");
        if (!_tensors.TryAdd(key, tensor))
            throw Bad(tensor, "one tensor for its role", $"also '{_tensors[key].Name}'");
    }

    private static bool IsMatrix(TensorRole role) => role is TensorRole.Query or TensorRole.Key or TensorRole.Value
        or TensorRole.FusedQueryKeyValue or TensorRole.AttentionOutput or TensorRole.Up or TensorRole.Down or TensorRole.Head;

    private TransformerWeights Build(string name, Func<FrozenTable>? substrate)
    {
        Tensor headWeight = HeadWeight();
        if (headWeight.Shape is not [>= 1 and <= 1 << 24, >= 1 and <= 1 << 16])
            throw Misshapen(headWeight, "[vocabulary, width]");
        (int vocabulary, int width) = ((int)headWeight.Shape[0], (int)headWeight.Shape[1]);
        (FrozenTable table, TableSource source, TokenCodeTensors? code) = ResolveTable(vocabulary, width, substrate);
        var blocks = new BlockWeights[CountLayers()];
        for (int layer = 0; layer < blocks.Length; layer++)
            blocks[layer] = Block(layer, width);
        CompareWithConfig("vocab_size", _config.VocabularySize, vocabulary);
        CompareWithConfig("d_model", _config.Width, width);
        CompareWithConfig("n_layer", _config.Layers, blocks.Length);
        return new TransformerWeights
        {
            Name = name,
            Table = table,
            TableTensor = source == TableSource.Checkpoint ? Find(TensorRole.Embedding) : null,
            TableSource = source,
            TokenCode = code,
            Blocks = blocks,
            FinalNorm = Find(TensorRole.FinalNorm) is null ? null : Norm(TensorRole.FinalNorm, -1, width),
            Head = new LinearWeights(headWeight, Vector(new TensorKey(TensorRole.Head, IsBias: true), vocabulary), Scales(headWeight, TensorRole.Head, -1)),
            Norm = ResolveNormKind(),
            NormEpsilon = (float)(_config.NormEpsilon ?? DefaultEpsilon),
            Activation = _config.Activation ?? Activation.Gelu,
            RopePairing = _config.RopePairing ?? RopePairing.Half,
            InputLift = _config.InputLift ?? InputLift.Interleaved,
            Heads = ResolveHeads(width),
            ContextTokens = Or(_config.ContextTokens, DefaultContext, "block_size"),
            Notes = _notes,
        };
    }

    // Without a head of its own a model may read its answers off the table, but only one that says so: a head can be missing
    // because a file is.
    private Tensor HeadWeight()
    {
        if (Find(TensorRole.Head) is null && _config.TiesHead == true && Find(TensorRole.Embedding) is { } table)
            return table;
        return Find(TensorRole.Head) ?? throw new CheckpointException(FolderPath, "tensor 'lm_head.weight'", "it to be there", "none",
            "If the embedding table is the head, too, set \"tie_word_embeddings\": true in config.json.");
    }

    // Conv1D, GPT-2's linear layer, stores [inputs, outputs]. It shows where the two differ; then all matrices of the blocks are
    // stored so, the square ones too.
    private bool IsTransposed()
    {
        bool isTransposed = Find(TensorRole.Up, 0)?.Shape is [var rows, var columns] && rows < columns
            && Find(TensorRole.Down, 0)?.Shape is [var more, var fewer] && (more, fewer) == (columns, rows)
            && Find(TensorRole.AttentionNorm, 0)?.Shape is [var width] && width == rows;
        if (isTransposed)
            _notes.Add("The matrices of the blocks are stored [inputs, outputs], as Conv1D does: they are transposed.");
        return isTransposed;
    }

    private (FrozenTable Table, TableSource Source, TokenCodeTensors? Code) ResolveTable(int vocabulary, int width, Func<FrozenTable>? substrate)
    {
        if (Find(TensorRole.Embedding) is { } tensor)
        {
            if (tensor.Shape.Count != 2 || tensor.Shape[0] != vocabulary)
                throw Misshapen(tensor, $"[{vocabulary}, n_embed]");
            RequireDivisor(tensor.Path, $"tensor '{tensor.Name}'", tensor.Shape[1], width);
            CompareWithConfig("n_embed", _config.InputWidth, (int)tensor.Shape[1]);
            if (Find(TensorRole.CodeMatrix) is { } unused)
                _notes.Add($"The checkpoint has a table: '{unused.Name}' is not used.");
            return (tensor.ToTable(), TableSource.Checkpoint, null);
        }

        if (_config.Substrate is not null && substrate is not null)
        {
            FrozenTable table = substrate();
            if (table.Rows != vocabulary)
                throw new CheckpointException(_config.Path, "key 'substrate'", $"a table of {vocabulary} rows", $"{table.Rows}");
            RequireDivisor(_config.Path, "key 'substrate'", table.Dimensions, width);
            return (table, TableSource.Substrate, null);
        }

        TokenCodeTensors? code = Find(TensorRole.CodeMatrix) is { } matrix ? new(matrix, Find(TensorRole.CodeOffset)) : null;
        return (TokenBits(vocabulary, width, code), TableSource.TokenBits, code);
    }

    private static void RequireDivisor(string path, string subject, long dimensions, int width)
    {
        if (dimensions < 1 || width % dimensions != 0)
            throw new CheckpointException(path, subject, $"vectors whose size divides {width}", $"{dimensions} values");
    }

    // A table-free model reads the digits of the token id, most significant first, or a code computed from them.
    private FrozenTable TokenBits(int vocabulary, int width, TokenCodeTensors? map)
    {
        TokenCode? code = map?.ToCode() ?? _config.Code;
        if ((code?.Digits ?? _config.InputWidth) is not (<= TokenCode.MaxDigits and { } digits) || 1 << digits < vocabulary)
        {
            throw new CheckpointException(_config.Path, "embedding", "a tensor like token_embeddings.weight", "none",
                "Put its table beside it as normalized_embeddings_weights.pt, or name a substrate in config.json.");
        }

        RequireDivisor(_config.Path, "key 'n_embed'", digits, width);
        if (code?.IsInvertible == false)
            _notes.Add("The map from token ids to codes is not invertible over GF(2): tokens share codes.");
        return (code ?? TokenCode.OfDigits(digits)).ToTable(vocabulary);
    }

    private int CountLayers()
    {
        int layers = _tensors.Keys.Max(key => key.Layer) + 1;
        return layers is >= 1 and <= 1024
            ? layers
            : throw new CheckpointException(_config.Path, "blocks", "1 to 1024 blocks", $"{layers}");
    }

    private BlockWeights Block(int layer, int width)
    {
        Tensor up = Matrix(TensorRole.Up, layer);
        if (up.Shape is not [>= 1 and <= 1 << 20, _])
            throw Misshapen(up, $"[hidden, {width}]");
        int hidden = (int)up.Shape[0];
        (LinearWeights query, LinearWeights key, LinearWeights value) = QueryKeyValue(layer, width);
        return new BlockWeights
        {
            AttentionNorm = Norm(TensorRole.AttentionNorm, layer, width),
            Query = query,
            Key = key,
            Value = value,
            Output = Linear(TensorRole.AttentionOutput, layer, width, width),
            MlpNorm = Norm(TensorRole.MlpNorm, layer, width),
            Up = Linear(TensorRole.Up, layer, hidden, width),
            Down = Linear(TensorRole.Down, layer, width, hidden),
        };
    }

    private (LinearWeights Query, LinearWeights Key, LinearWeights Value) QueryKeyValue(int layer, int width)
    {
        if (Find(TensorRole.FusedQueryKeyValue, layer) is null)
        {
            return (Linear(TensorRole.Query, layer, width, width), Linear(TensorRole.Key, layer, width, width),
                Linear(TensorRole.Value, layer, width, width));
        }

        LinearWeights fused = Linear(TensorRole.FusedQueryKeyValue, layer, 3 * width, width);
        return (Third(0), Third(1), Third(2));

        LinearWeights Third(int index) =>
            new(fused.Weight.Rows(index * width, width), fused.Bias?.Rows(index * width, width), fused.Scales?.Rows(index * width, width));
    }

    private LinearWeights Linear(TensorRole role, int layer, int outputs, int inputs)
    {
        Tensor weight = Matrix(role, layer);
        if (weight.Shape is not [var rows, var columns] || rows != outputs || columns != inputs)
            throw Misshapen(weight, $"[{outputs}, {inputs}]");
        return new LinearWeights(weight, Vector(new TensorKey(role, layer, IsBias: true), outputs), Scales(weight, role, layer));
    }

    // Whole numbers mean something only with their scales, and then all matrices are such: sums are rounded alike.
    private Tensor? Scales(Tensor weight, TensorRole role, int layer)
    {
        if ((weight.DType == DType.I8) != (Find(TensorRole.Head)?.DType == DType.I8))
            throw Bad(weight, "I8 in all matrices or in none", $"{weight.DType}", "Convert the model again, from its first weights.");
        if (weight.DType != DType.I8)
            return null;
        Tensor scales = _tensors.GetValueOrDefault(new TensorKey(role, layer, IsScale: true)) ?? throw Bad(weight, "a 'weight_scale' beside I8 weights", "none");
        (long outputs, int groups) = (weight.Shape[0], EightBits.GroupsOf((int)weight.Shape[1]));
        return scales.DType == DType.BF16 && scales.Shape is [var rows, var columns] && (rows, columns) == (outputs, groups)
            ? scales
            : throw Bad(scales, $"BF16 [{outputs}, {groups}]", $"{scales.DType} [{string.Join(", ", scales.Shape)}]");
    }

    private Tensor Matrix(TensorRole role, int layer)
    {
        Tensor tensor = Required(new TensorKey(role, layer), role.ToString());
        return _isTransposed && tensor.Shape.Count == 2 ? tensor.Transposed() : tensor;
    }

    private NormWeights Norm(TensorRole role, int layer, int width)
    {
        _ = Required(new TensorKey(role, layer), role.ToString());
        Tensor weight = Vector(new TensorKey(role, layer), width)!;
        return new NormWeights(weight, Vector(new TensorKey(role, layer, IsBias: true), width));
    }

    private Tensor? Vector(TensorKey key, int length)
    {
        Tensor? tensor = _tensors.GetValueOrDefault(key);
        return tensor is null || (tensor.Shape is [var size] && size == length) ? tensor : throw Misshapen(tensor, $"[{length}]");
    }

    private NormKind ResolveNormKind()
    {
        Tensor? bias = _tensors.FirstOrDefault(pair => pair.Key.IsBias
            && pair.Key.Role is (TensorRole.AttentionNorm or TensorRole.MlpNorm or TensorRole.FinalNorm)).Value;
        if (_config.Norm == NormKind.Rms && bias is not null)
            throw Bad(bias, "no bias in an RMS norm", "one");
        if (_config.Norm is null && bias is null)
            _notes.Add("No norm has a bias: RMS norms are assumed; set \"norm\": \"layer\" in config.json if they are not.");
        return _config.Norm ?? (bias is null ? NormKind.Rms : NormKind.Layer);
    }

    private int ResolveHeads(int width)
    {
        int heads = Or(_config.Heads, DefaultHeads, "n_head");
        return width % heads == 0 && width / heads % 2 == 0
            ? heads
            : throw new CheckpointException(_config.Path, "key 'n_head'", $"heads of even size that divide {width}", $"{heads}");
    }

    private int Or(int? given, int assumed, string key)
    {
        if (given is null)
            _notes.Add($"config.json has no {key}: {assumed} is assumed.");
        return given ?? assumed;
    }

    private void CompareWithConfig(string key, int? given, int actual)
    {
        if (given is not null && given != actual)
            _notes.Add($"config.json says {key} = {given}, the tensors say {actual}: {actual} is used.");
    }

    private Tensor? Find(TensorRole role, int layer = -1) => _tensors.GetValueOrDefault(new TensorKey(role, layer));

    private Tensor Required(TensorKey key, string name) => _tensors.GetValueOrDefault(key)
        ?? throw new CheckpointException(FolderPath, key.Layer < 0 ? $"tensor '{name}'" : $"block {key.Layer}, tensor '{name}'", "it to be there", "none");

    private string FolderPath => System.IO.Path.GetDirectoryName(_config.Path) ?? _config.Path;

    private static CheckpointException Misshapen(Tensor tensor, string expected) =>
        Bad(tensor, expected, $"[{string.Join(", ", tensor.Shape)}]");

    private static CheckpointException Bad(Tensor tensor, string expected, string found, string? remedy = null) =>
        new(tensor.Path, $"tensor '{tensor.Name}'", expected, found, remedy);
}

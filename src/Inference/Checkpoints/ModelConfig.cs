using System.Text.Json;
using Serving.Glyphs.Embeddings;

namespace Serving.Inference.Checkpoints;

/// <summary>
/// What a config.json says, as far as it matters here; every other key is ignored. Null = the key is absent: sizes then come
/// from the tensors, which also win where the two disagree.
/// </summary>
public sealed record ModelConfig
{
    /// <summary>The file, for messages.</summary>
    public required string Path { get; init; }

    /// <summary><c>vocab_size</c>: 1 to 16,777,216.</summary>
    public int? VocabularySize { get; init; }

    /// <summary><c>n_embed</c> or <c>n_embd</c>, the width of the input table: 1 to 65,536.</summary>
    public int? InputWidth { get; init; }

    /// <summary><c>d_model</c>, the width of the model: 1 to 65,536.</summary>
    public int? Width { get; init; }

    /// <summary><c>n_head</c>: 1 to 1,024.</summary>
    public int? Heads { get; init; }

    /// <summary><c>n_layer</c>: 1 to 1,024.</summary>
    public int? Layers { get; init; }

    /// <summary><c>block_size</c>, <c>n_positions</c> or <c>max_position_embeddings</c>: 1 to 1,048,576.</summary>
    public int? ContextTokens { get; init; }

    /// <summary><c>pad_token</c>.</summary>
    public string? PadToken { get; init; }

    /// <summary><c>bos_token</c>.</summary>
    public string? BeginToken { get; init; }

    /// <summary><c>eos_token</c>.</summary>
    public string? EndToken { get; init; }

    /// <summary><c>rope_pairing</c>: half, interleaved or hybrid; null = half, as the family's code has it.</summary>
    public RopePairing? RopePairing { get; init; }

    /// <summary><c>input_lift</c>: interleaved or tiled; null = interleaved, as most of the family's cards have it.</summary>
    public InputLift? InputLift { get; init; }

    /// <summary><c>norm</c>: layer or rms; null = by the presence of norm biases.</summary>
    public NormKind? Norm { get; init; }

    /// <summary><c>norm_epsilon</c>, <c>layer_norm_epsilon</c>, <c>layer_norm_eps</c> or <c>rms_norm_eps</c>: above 0, up to 0.1;
    /// null = 1e-5.</summary>
    public double? NormEpsilon { get; init; }

    /// <summary><c>activation</c>, <c>activation_function</c> or <c>hidden_act</c>, by PyTorch's or transformers' names; null =
    /// gelu.</summary>
    public Activation? Activation { get; init; }

    /// <summary><c>tie_word_embeddings</c>: whether the table is the head, too.</summary>
    public bool? TiesHead { get; init; }

    /// <summary><c>code_matrix</c> and <c>code_offset</c>: how a model without a table maps the digits of token ids, where its tensors do
    /// not say; rows as strings of zeros and ones.</summary>
    public TokenCode? Code { get; init; }

    /// <summary><c>substrate</c>: the fingerprint (<c>sha256:…</c>) of the frozen table to stand on.</summary>
    public string? Substrate { get; init; }

    /// <summary>Reads a config.json.</summary>
    /// <exception cref="CheckpointException">Not JSON, or a key with a wrong type or outside its range.</exception>
    public static ModelConfig Read(string path)
    {
        using JsonDocument document = JsonFile.Read(path);
        var keys = new ConfigKeys(path, document.RootElement);
        return new ModelConfig
        {
            Path = path,
            VocabularySize = keys.Int32(1 << 24, "vocab_size"),
            InputWidth = keys.Int32(1 << 16, "n_embed", "n_embd"),
            Width = keys.Int32(1 << 16, "d_model"),
            Heads = keys.Int32(1024, "n_head"),
            Layers = keys.Int32(1024, "n_layer"),
            ContextTokens = keys.Int32(1 << 20, "block_size", "n_positions", "max_position_embeddings"),
            PadToken = keys.Text("pad_token"),
            BeginToken = keys.Text("bos_token"),
            EndToken = keys.Text("eos_token"),
            RopePairing = keys.Choice<RopePairing>("rope_pairing"),
            InputLift = keys.Choice<InputLift>("input_lift"),
            Norm = keys.Choice<NormKind>("norm"),
            NormEpsilon = keys.Epsilon("norm_epsilon", "layer_norm_epsilon", "layer_norm_eps", "rms_norm_eps"),
            Activation = keys.Activation("activation", "activation_function", "hidden_act"),
            TiesHead = keys.Flag("tie_word_embeddings"),
            Code = keys.Code("code_matrix", "code_offset"),
            Substrate = keys.Fingerprint("substrate"),
        };
    }
}

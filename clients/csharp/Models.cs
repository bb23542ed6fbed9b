namespace Serving.Client;

/// <summary>A model or an ensemble. Sizes are null until it is loaded.</summary>
public sealed record ModelInfo
{
    /// <summary>Its name.</summary>
    public required string Id { get; init; }

    /// <summary><c>model</c> or <c>ensemble</c>.</summary>
    public string? Kind { get; init; }

    /// <summary><c>loading</c>, <c>ready</c>, <c>failed</c>.</summary>
    public string? State { get; init; }

    /// <summary>Why it failed.</summary>
    public string? Error { get; init; }

    /// <summary>The most tokens of prompt and answer together.</summary>
    public int? MaxModelLen { get; init; }

    /// <summary>Tokens of the vocabulary.</summary>
    public int? VocabSize { get; init; }

    /// <summary>Values, learned and frozen.</summary>
    public long? Parameters { get; init; }

    /// <summary>Of the weights on disk.</summary>
    public string? Dtype { get; init; }

    /// <summary>Of the weights, the table included.</summary>
    public long? Bytes { get; init; }

    /// <summary>Of what it shares with other models.</summary>
    public long? SharedBytes { get; init; }

    /// <summary>Equal for models on the same embedding table.</summary>
    public string? EmbeddingFingerprint { get; init; }

    /// <summary>Equal for models with the same tokenizer; only such can be averaged.</summary>
    public string? TokenizerFingerprint { get; init; }

    /// <summary>Changes with the weights, the tokenizer or the arithmetic.</summary>
    public string? SystemFingerprint { get; init; }

    /// <summary>The members of an ensemble.</summary>
    public IReadOnlyList<string>? Experts { get; init; }
}

/// <summary>What an ensemble is made of.</summary>
/// <param name="Experts">1 to 8 models with one tokenizer.</param>
/// <param name="Combine"><c>logits</c> (default) or <c>probs</c>: what is averaged.</param>
public sealed record EnsembleDefinition(IReadOnlyList<Expert> Experts, string? Combine = null);

/// <summary>A member of an ensemble.</summary>
/// <param name="Model">The model's id.</param>
/// <param name="Weight">0 to 1,000,000; weights are divided by their sum.</param>
public sealed record Expert(string Model, double Weight = 1);

/// <summary>A named ensemble.</summary>
/// <param name="Name">Its name, which stands for it as a model.</param>
/// <param name="Experts">Its members with their weights.</param>
/// <param name="Combine"><c>logits</c> or <c>probs</c>.</param>
/// <param name="Version">Counts its definitions, from 1; answers name the version that made them.</param>
/// <param name="State"><c>loading</c>, <c>ready</c> or <c>failed</c>.</param>
/// <param name="Error">Why it cannot answer.</param>
public sealed record EnsembleInfo(
    string Name, IReadOnlyList<Expert> Experts, string Combine, int Version, string State, string? Error = null);

/// <summary>The members and weights behind an answer, whatever became of their definition since.</summary>
/// <param name="Experts">The members with their weights.</param>
/// <param name="Combine"><c>logits</c> or <c>probs</c>.</param>
/// <param name="Version">Of the name's definition; null for an ensemble without a name.</param>
public sealed record EnsembleWeights(IReadOnlyList<Expert> Experts, string Combine, int? Version = null);

internal sealed record ListOf<T>(IReadOnlyList<T> Data);

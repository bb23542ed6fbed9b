using System.ComponentModel;
using System.Text.Json.Serialization;
using Serving.Server.Ensembles;

namespace Serving.Server.Comparisons;

/// <summary>What several models made of one prompt.</summary>
internal sealed record GeneratedComparison(
    IReadOnlyList<GeneratedEntry> Models,
    [property: Description("The index of the first token at which not all models agree; null when all wrote the same. Tokens are compared "
        + "by id, or by text where tokenizers differ.")]
    int? FirstDivergence);

/// <summary>What one of them wrote.</summary>
internal sealed record GeneratedEntry(
    string Model,
    string SystemFingerprint,
    string Text,
    [property: Description("The tokens' texts.")] IReadOnlyList<string> Tokens,
    IReadOnlyList<int> TokenIds,
    [property: Description("Nats, before temperature.")] IReadOnlyList<float> TokenLogprobs,
    [property: Description("stop or length.")] string FinishReason,
    ComparisonTiming Timing)
{
    [Description("Of an ensemble: the members and weights that wrote this.")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public EnsembleWeights? Ensemble { get; init; }
}

/// <summary>How long one model took, in seconds.</summary>
internal sealed record ComparisonTiming(
    [property: Description("From submission until its first step.")] double QueueSeconds,
    [property: Description("From submission until the first token; null when there was none.")] double? FirstTokenSeconds,
    [property: Description("From submission until the end.")] double TotalSeconds);

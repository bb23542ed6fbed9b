using System.ComponentModel;
using System.Text.Json.Serialization;
using Serving.Server.Ensembles;

namespace Serving.Server.Comparisons;

/// <summary>How likely several models find one text.</summary>
internal sealed record ScoredComparison(
    IReadOnlyList<ScoredEntry> Models,
    [property: Description("How far two models are apart, each before each later one; only of models with one tokenizer.")]
    IReadOnlyList<ScoredPair> Pairs);

/// <summary>The figures of a text under one model. The first token is conditioned on nothing and not counted.</summary>
internal record TextFigures(
    [property: JsonRequired, Description("Of all counted tokens, nats.")] double LogProbability,
    [property: JsonRequired, Description("e to the mean cost of a token; null beyond double precision.")] double? Perplexity,
    [property: JsonRequired, Description("Bits a character (Unicode code point) after the first token; null when there is none.")] double? BitsPerCharacter,
    [property: JsonRequired, Description("Nats; null for the first token.")] IReadOnlyList<float?> TokenLogprobs);

/// <summary>How likely one model finds the text.</summary>
internal sealed record ScoredEntry(
    string Model,
    string SystemFingerprint,
    [property: Description("The tokens' texts.")] IReadOnlyList<string> Tokens,
    IReadOnlyList<int> TokenIds,
    [property: Description("Tokens that hide which character they stand for: bits_per_character says too little where there are any.")] int UnknownTokens,
    TextFigures Figures,
    [property: Description("With leave_one_out, of an ensemble: the same figures without each member, the others' weights kept in proportion.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<WithoutMember>? LeaveOneOut)
    : TextFigures(Figures.LogProbability, Figures.Perplexity, Figures.BitsPerCharacter, Figures.TokenLogprobs)
{
    [Description("Of an ensemble: the members and weights that scored this.")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public EnsembleWeights? Ensemble { get; init; }

    // They stand in the entry itself.
    [JsonIgnore]
    public TextFigures Figures { get; init; } = Figures;
}

/// <summary>The figures of an ensemble that lost a member.</summary>
internal sealed record WithoutMember(
    [property: Description("The member that was left out.")] string Without, TextFigures Figures)
    : TextFigures(Figures.LogProbability, Figures.Perplexity, Figures.BitsPerCharacter, Figures.TokenLogprobs)
{
    [JsonIgnore]
    public TextFigures Figures { get; init; } = Figures;
}

/// <summary>How far two models are apart on the text, averaged over its counted tokens.</summary>
internal sealed record ScoredPair(
    string A,
    string B,
    [property: Description("Kullback-Leibler divergence of b from a, nats a token: the cost of taking b for a.")] double Kl,
    [property: Description("The same of a from b.")] double KlReverse,
    [property: Description("Jensen-Shannon divergence, nats a token.")] double Js,
    [property: Description("The share of tokens for which both have the same first choice.")] double SameArgmax);

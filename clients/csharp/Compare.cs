namespace Serving.Client;

/// <summary>One prompt for several models, with one seed for all. <see cref="GenerationOptions.Model"/> stays null.</summary>
public sealed record CompareRequest : GenerationOptions
{
    /// <summary>2 to 8 models, ensembles or sums.</summary>
    public required IReadOnlyList<string> Models { get; init; }

    /// <summary>A text or a list of token ids.</summary>
    public required Prompt Prompt { get; init; }
}

internal sealed record ScoreRequest(IReadOnlyList<string> Models, string Text, bool LeaveOneOut);

/// <summary>What several models made of one prompt.</summary>
/// <param name="Models">In the order of the request.</param>
/// <param name="FirstDivergence">The first token at which not all agree; null when all wrote the same.</param>
public sealed record GeneratedComparison(IReadOnlyList<GeneratedText> Models, int? FirstDivergence);

/// <summary>What one model wrote.</summary>
/// <param name="Model">Its name.</param>
/// <param name="Text">The text.</param>
/// <param name="Tokens">Texts of the tokens.</param>
/// <param name="TokenLogprobs">Nats.</param>
/// <param name="FinishReason"><c>stop</c> or <c>length</c>.</param>
/// <param name="Ensemble">Of an ensemble, the members and weights that wrote it.</param>
public sealed record GeneratedText(
    string Model, string Text, IReadOnlyList<string> Tokens, IReadOnlyList<float> TokenLogprobs, string FinishReason,
    EnsembleWeights? Ensemble = null);

/// <summary>How likely several models find one text.</summary>
/// <param name="Models">In the order of the request.</param>
/// <param name="Pairs">How far two models are apart.</param>
public sealed record ScoredComparison(IReadOnlyList<ScoredText> Models, IReadOnlyList<ModelPair> Pairs);

/// <summary>How likely a model finds a text. The first token is conditioned on nothing and not counted.</summary>
/// <param name="Model">Its name.</param>
/// <param name="Tokens">Texts of the tokens.</param>
/// <param name="TokenLogprobs">Nats; null for the first.</param>
/// <param name="LogProbability">Of all counted tokens, nats.</param>
/// <param name="Perplexity">e to the mean cost of a token.</param>
/// <param name="BitsPerCharacter">Bits a code point after the first token.</param>
/// <param name="LeaveOneOut">Of an ensemble, without each of its members; when asked for.</param>
/// <param name="Ensemble">Of an ensemble, the members and weights that scored it.</param>
public sealed record ScoredText(
    string Model, IReadOnlyList<string> Tokens, IReadOnlyList<float?> TokenLogprobs, double LogProbability, double? Perplexity,
    double? BitsPerCharacter, IReadOnlyList<WithoutMember>? LeaveOneOut = null, EnsembleWeights? Ensemble = null);

/// <summary>An ensemble that lost a member.</summary>
/// <param name="Without">The member.</param>
/// <param name="LogProbability">Nats.</param>
/// <param name="Perplexity">e to the mean cost of a token.</param>
/// <param name="BitsPerCharacter">Bits a code point.</param>
public sealed record WithoutMember(string Without, double LogProbability, double? Perplexity, double? BitsPerCharacter);

/// <summary>How far two models are apart, averaged over the text.</summary>
/// <param name="A">One.</param>
/// <param name="B">The other.</param>
/// <param name="Kl">Kullback-Leibler divergence of B from A, nats.</param>
/// <param name="Js">Jensen-Shannon divergence, nats.</param>
/// <param name="SameArgmax">The share of tokens at which both have the same first choice.</param>
public sealed record ModelPair(string A, string B, double Kl, double Js, double SameArgmax);

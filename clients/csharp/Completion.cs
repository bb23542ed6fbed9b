namespace Serving.Client;

/// <summary>A whole answer, or a chunk of a streamed one.</summary>
/// <param name="Id">The same in all chunks.</param>
/// <param name="Created">Seconds since 1970.</param>
/// <param name="Model">Who answered.</param>
/// <param name="SystemFingerprint">Changes with the weights, the experts or the arithmetic.</param>
/// <param name="Choices">The answers, prompt-major.</param>
/// <param name="Usage">Tokens; in a stream only in the last chunk.</param>
/// <param name="Ensemble">Of an ensemble, the members and weights that made the answer.</param>
public sealed record Completion(
    string Id, long Created, string Model, string SystemFingerprint, IReadOnlyList<CompletionChoice> Choices, Usage? Usage,
    EnsembleWeights? Ensemble = null);

/// <summary>An answer, or what a step added to it.</summary>
/// <param name="Index">Its place.</param>
/// <param name="Text">The text.</param>
/// <param name="Logprobs">When asked for.</param>
/// <param name="FinishReason"><c>stop</c> or <c>length</c>; null before the last chunk.</param>
/// <param name="ExpertLogprobs">When asked of an ensemble.</param>
public sealed record CompletionChoice(
    int Index, string Text, Logprobs? Logprobs, string? FinishReason, ExpertLogprobs? ExpertLogprobs = null);

/// <summary>Four lists of one length, one entry a token.</summary>
/// <param name="Tokens">Texts.</param>
/// <param name="TokenLogprobs">Nats; null for the first token of a prompt.</param>
/// <param name="TopLogprobs">The likeliest tokens and the chosen one.</param>
/// <param name="TextOffset">Where the token begins, in code points.</param>
public sealed record Logprobs(
    IReadOnlyList<string> Tokens, IReadOnlyList<float?> TokenLogprobs, IReadOnlyList<IReadOnlyDictionary<string, float>?> TopLogprobs,
    IReadOnlyList<int> TextOffset);

/// <summary>What the members of an ensemble made of each token.</summary>
/// <param name="Experts">The members' ids.</param>
/// <param name="TokenLogprobs">For each token, each member's log-probability of it, in nats.</param>
/// <param name="TopTokens">For each token, each member's own first choice.</param>
/// <param name="Disagreement">For each token, the Jensen-Shannon divergence of the members, in nats.</param>
public sealed record ExpertLogprobs(
    IReadOnlyList<string> Experts, IReadOnlyList<IReadOnlyList<float>> TokenLogprobs, IReadOnlyList<IReadOnlyList<string>> TopTokens,
    IReadOnlyList<double> Disagreement);

/// <summary>Tokens of a request.</summary>
/// <param name="PromptTokens">Of the prompts.</param>
/// <param name="CompletionTokens">Of all answers.</param>
/// <param name="TotalTokens">Of both.</param>
/// <param name="PromptTokensDetails">How many came from the cache.</param>
public sealed record Usage(int PromptTokens, int CompletionTokens, int TotalTokens, PromptTokensDetails? PromptTokensDetails);

/// <summary>More on prompts.</summary>
/// <param name="CachedTokens">Tokens whose keys and values were cached.</param>
public sealed record PromptTokensDetails(int CachedTokens);

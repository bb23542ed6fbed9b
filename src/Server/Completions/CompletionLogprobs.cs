using System.ComponentModel;

namespace Serving.Server.Completions;

/// <summary>Four lists of one length, one entry a token.</summary>
/// <param name="Tokens">The tokens' texts.</param>
/// <param name="TokenLogprobs">Nats, before temperature; null for the first token of an echoed prompt.</param>
/// <param name="TopLogprobs">The likeliest tokens and the chosen one; null where the log-probability is.</param>
/// <param name="TextOffset">Where the token begins in the answer's text, in Unicode code points.</param>
internal sealed record CompletionLogprobs(
    IReadOnlyList<string> Tokens,
    [property: Description("Nats, before temperature; null for the first token of an echoed prompt.")]
    IReadOnlyList<float?> TokenLogprobs,
    [property: Description("The likeliest tokens and the chosen one; null where the log-probability is.")]
    IReadOnlyList<IReadOnlyDictionary<string, float>?> TopLogprobs,
    [property: Description("Where each token begins in the text, in Unicode code points.")] IReadOnlyList<int> TextOffset);

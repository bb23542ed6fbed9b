namespace Serving.Inference;

/// <summary>What a request's stream carries: the prompt's scores if asked for, tokens, then exactly one terminal event.</summary>
public abstract record GenerationEvent;

/// <summary>A generated token.</summary>
/// <param name="TokenId">The chosen token.</param>
/// <param name="Text">Text that became certain with this step: whole characters only, and nothing that could still become
/// a stop text. May be empty; the texts of all events joined are the answer.</param>
/// <param name="Logprob">Log-probability (nats) under the model's own distribution, before temperature; null unless asked for.</param>
/// <param name="TopLogprobs">The most likely tokens, best first; null unless asked for.</param>
public sealed record TokenGenerated(int TokenId, string Text, float? Logprob, IReadOnlyList<TokenLogprob>? TopLogprobs) : GenerationEvent;

/// <summary>The prompt's own log-probabilities; once, before any token, and only when asked for.</summary>
/// <param name="Tokens">Every prompt token; the first is conditioned on nothing and has no log-probability.</param>
public sealed record PromptScored(IReadOnlyList<ScoredToken> Tokens) : GenerationEvent;

/// <summary>The mean of the prompt's final hidden states; once, and only when asked for.</summary>
/// <param name="Mean">[<see cref="ModelShape.HiddenWidth"/>].</param>
public sealed record PromptPooled(float[] Mean) : GenerationEvent;

/// <summary>The terminal event.</summary>
/// <param name="Reason">Why it ended.</param>
/// <param name="Text">Text that was held back and belongs to the answer; usually empty.</param>
/// <param name="Error">The fault, when <paramref name="Reason"/> is <see cref="FinishReason.Error"/>.</param>
public sealed record GenerationFinished(FinishReason Reason, string Text, Exception? Error = null) : GenerationEvent
{
    /// <summary>What the request took.</summary>
    public GenerationUsage Usage { get; init; }
}

/// <summary>A token and its log-probability in nats.</summary>
public readonly record struct TokenLogprob(int TokenId, float Logprob);

/// <summary>A prompt token, its log-probability given all tokens before it, and the likeliest tokens in its place.</summary>
/// <param name="TokenId">The token.</param>
/// <param name="Logprob">Nats; null for the first token.</param>
/// <param name="TopLogprobs">Best first; null for the first token.</param>
public readonly record struct ScoredToken(int TokenId, float? Logprob, IReadOnlyList<TokenLogprob>? TopLogprobs);

/// <summary>Why a request ended.</summary>
public enum FinishReason
{
    /// <summary>An end-of-text token, a stop token or a stop text.</summary>
    Stop,

    /// <summary>MaxTokens, or the end of the context.</summary>
    Length,

    /// <summary>The caller left.</summary>
    Cancelled,

    /// <summary>A fault of this request or of the engine under it.</summary>
    Error,
}

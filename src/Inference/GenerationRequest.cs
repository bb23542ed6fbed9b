using Serving.Inference.Sampling;

namespace Serving.Inference;

/// <summary>A request for one continuation, already validated: it cannot be invalid for the model it is sent to.</summary>
public sealed record GenerationRequest
{
    /// <summary>The caller's name for it, for logs and traces.</summary>
    public required string Id { get; init; }

    /// <summary>Token ids, at least one; fewer than the context, or as many when <see cref="MaxTokens"/> is 0.</summary>
    public required int[] PromptTokens { get; init; }

    /// <summary>The most tokens to generate; 0 = only score the prompt. Generation also ends where the context does.</summary>
    public required int MaxTokens { get; init; }

    /// <summary>End-of-text tokens, stop tokens and stop texts cannot end generation before this many tokens. 0 to
    /// <see cref="MaxTokens"/>.</summary>
    public int MinTokens { get; init; }

    /// <summary>How a token is picked.</summary>
    public SamplingOptions Sampling { get; init; } = SamplingOptions.Greedy;

    /// <summary>Texts that end generation; none is ever part of the answer.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Whether an end-of-text token is like any other; stop tokens and stop texts still end generation.</summary>
    public bool IgnoreEndOfText { get; init; }

    /// <summary>Token ids that end generation like the end-of-text token; they are counted but have no text.</summary>
    public IReadOnlyList<int> StopTokenIds { get; init; } = [];

    /// <summary>Alternatives reported per generated token: null for none, 0 for the chosen token alone, at most 20.</summary>
    public int? Logprobs { get; init; }

    /// <summary>Alternatives reported per prompt token, as <see cref="Logprobs"/>; null for no <see cref="PromptScored"/>.
    /// A scored prompt is computed whole: it never starts from cached blocks.</summary>
    public int? PromptLogprobs { get; init; }

    /// <summary>Whether the mean of the prompt's final hidden states is wanted. Only with <see cref="MaxTokens"/> 0 and without
    /// <see cref="PromptLogprobs"/>; such a prompt never starts from cached blocks.</summary>
    public bool PoolsPrompt { get; init; }

    /// <summary>Added to the logits of these tokens before anything else is done with them. Ids of the vocabulary, each once.</summary>
    public IReadOnlyList<LogitBias> LogitBias { get; init; } = [];

    /// <summary>Only requests of one scope share cached prefixes, so that nobody can time another's prompts.
    /// 0 to 2^63 - 1.</summary>
    public long CacheScope { get; init; }
}

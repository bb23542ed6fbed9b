using Serving.Inference.Sampling;

namespace Serving.Inference;

/// <summary>A request for one continuation, already validated: it cannot be invalid for the model it is sent to.</summary>
public sealed record GenerationRequest
{
    /// <summary>The caller's name for it, for logs and traces.</summary>
    public required string Id { get; init; }

    /// <summary>Token ids, at least one and fewer than the context.</summary>
    public required int[] PromptTokens { get; init; }

    /// <summary>The most tokens to generate, at least 1; prompt and these together fit the context.</summary>
    public required int MaxTokens { get; init; }

    /// <summary>How a token is picked.</summary>
    public SamplingOptions Sampling { get; init; } = SamplingOptions.Greedy;

    /// <summary>Texts that end generation; none is ever part of the answer.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Token ids that end generation like the end-of-text token; they are counted but have no text.</summary>
    public IReadOnlyList<int> StopTokenIds { get; init; } = [];

    /// <summary>Alternatives reported per generated token: null for none, 0 for the chosen token alone, at most 20.</summary>
    public int? Logprobs { get; init; }
}

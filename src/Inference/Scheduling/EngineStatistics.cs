namespace Serving.Inference.Scheduling;

/// <summary>A snapshot of the engine, taken before each forward pass and when there is nothing to do.</summary>
/// <remarks>Totals count from the engine's construction.</remarks>
public readonly record struct EngineStatistics
{
    /// <summary>Requests that wait, preempted ones included.</summary>
    public int WaitingRequests { get; init; }

    /// <summary>Tokens of the requests that wait.</summary>
    public long WaitingTokens { get; init; }

    /// <summary>Requests that hold K/V blocks.</summary>
    public int RunningRequests { get; init; }

    /// <summary>K/V blocks that running requests hold.</summary>
    public int KvBlocksUsed { get; init; }

    /// <summary>K/V blocks that nobody holds but a prefix may hit.</summary>
    public int KvBlocksCached { get; init; }

    /// <summary>All K/V blocks.</summary>
    public int KvBlocksTotal { get; init; }

    /// <summary>Forward passes.</summary>
    public long Steps { get; init; }

    /// <summary>Tokens that went through the model: prompts, generated ones, and both again after a preemption.</summary>
    public long ComputedTokens { get; init; }

    /// <summary>Prompt tokens of the requests that started.</summary>
    public long PromptTokens { get; init; }

    /// <summary>Prompt tokens of these that came from the prefix cache.</summary>
    public long CachedPromptTokens { get; init; }

    /// <summary>Tokens generated.</summary>
    public long GeneratedTokens { get; init; }

    /// <summary>Tokens that were guessed ahead and verified.</summary>
    public long DraftedTokens { get; init; }

    /// <summary>Guesses that were right.</summary>
    public long AcceptedTokens { get; init; }

    /// <summary>Tokens of an ensemble whose experts were asked what they thought of it.</summary>
    public long AttributedTokens { get; init; }

    /// <summary>The sum of the experts' Jensen-Shannon divergence on these tokens, in nats.</summary>
    public double Disagreement { get; init; }

    /// <summary>Tokens looked up in the prefix cache, preempted sequences' again.</summary>
    public long PrefixQueryTokens { get; init; }

    /// <summary>Tokens found there.</summary>
    public long PrefixHitTokens { get; init; }

    /// <summary>How often a running request had to give its blocks back.</summary>
    public long Preemptions { get; init; }

    /// <summary>Recent speed, in computed tokens a second; 0 before the first step.</summary>
    public double TokensPerSecond { get; init; }
}

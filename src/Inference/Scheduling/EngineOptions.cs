using Serving.Inference.Speculation;

namespace Serving.Inference.Scheduling;

/// <summary>The engine's budgets. Copied once, at construction.</summary>
public sealed record EngineOptions
{
    /// <summary>The most tokens in a forward pass: longer prompts are computed in several. At least 1; default 512.</summary>
    public int TokenBudget { get; init; } = 512;

    /// <summary>The most rows of logits in a forward pass; memory is this times the vocabulary, times 4 bytes.
    /// At least 1; default 64.</summary>
    public int LogitRows { get; init; } = 64;

    /// <summary>The most sequences that run at once. At least 1; default 64.</summary>
    public int MaxRunning { get; init; } = 64;

    /// <summary>The most requests that wait; more are refused at the door. At least 1; default 256.</summary>
    public int MaxWaitingRequests { get; init; } = 256;

    /// <summary>The most tokens that wait, in all requests together; one request alone may be longer.
    /// At least 1; default 262144.</summary>
    public long MaxWaitingTokens { get; init; } = 262_144;

    /// <summary>Whether prompts with a common beginning share its K/V. Changes speed, never a result. Default true.</summary>
    public bool ReusePrefixes { get; init; } = true;

    /// <summary>How tokens are guessed ahead; null = they are not. Changes speed, never a result.</summary>
    public SpeculationOptions? Speculation { get; init; }

    /// <summary>Whether guesses have been through a backend's first blocks.</summary>
    internal bool DraftsByDepth => Speculation?.Source == DraftSource.Depth;

    /// <summary>Tokens that end a text. Default none.</summary>
    public IReadOnlyList<int> EndOfTextIds { get; init; } = [];

    /// <summary>Everything that is wrong with these options, in words; empty when nothing is.</summary>
    public IReadOnlyList<string> Problems()
    {
        List<string> problems = [];
        AtLeastOne(TokenBudget, nameof(TokenBudget));
        AtLeastOne(LogitRows, nameof(LogitRows));
        AtLeastOne(MaxRunning, nameof(MaxRunning));
        AtLeastOne(MaxWaitingRequests, nameof(MaxWaitingRequests));
        AtLeastOne(MaxWaitingTokens, nameof(MaxWaitingTokens));
        if (Speculation is { Tokens: < 1 or > SpeculationOptions.MostTokens } speculation)
            problems.Add($"Speculation.Tokens must be 1 to {SpeculationOptions.MostTokens}, but is {speculation.Tokens}.");
        return problems;

        void AtLeastOne(long value, string name)
        {
            if (value < 1) problems.Add($"{name} must be at least 1, but is {value}.");
        }
    }
}

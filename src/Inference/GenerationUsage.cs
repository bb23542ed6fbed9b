namespace Serving.Inference;

/// <summary>What a request took, in tokens and in time.</summary>
/// <param name="PromptTokens">Tokens of the prompt.</param>
/// <param name="CachedTokens">Prompt tokens whose K/V came from the prefix cache.</param>
/// <param name="GeneratedTokens">Tokens generated, an end-of-text token included.</param>
/// <param name="QueueSeconds">From submission until the first chunk was scheduled, or until the end if none was.</param>
/// <param name="FirstTokenSeconds">From submission until the first token; null when there was none.</param>
/// <param name="TotalSeconds">From submission until the terminal event.</param>
public readonly record struct GenerationUsage(
    int PromptTokens, int CachedTokens, int GeneratedTokens, double QueueSeconds, double? FirstTokenSeconds, double TotalSeconds)
{
    /// <summary>Tokens that were guessed ahead and verified.</summary>
    public int DraftedTokens { get; init; }

    /// <summary>Guesses that were right: tokens that came without a step of their own.</summary>
    public int AcceptedTokens { get; init; }
}

namespace Serving.Server.Completions;

/// <summary>Tokens of the whole request. A prompt counts once however many answers it has.</summary>
internal sealed record CompletionUsage(
    int PromptTokens, int CompletionTokens, int TotalTokens, PromptTokensDetails PromptTokensDetails);

/// <summary>Tokens of prompts whose keys and values were cached.</summary>
internal sealed record PromptTokensDetails(int CachedTokens);

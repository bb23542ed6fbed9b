using System.ComponentModel;
using System.Text.Json.Serialization;

namespace Serving.Server.Completions;

/// <summary>Tokens of the whole request. A prompt counts once however many answers it has.</summary>
internal sealed record CompletionUsage(
    int PromptTokens, int CompletionTokens, int TotalTokens, PromptTokensDetails PromptTokensDetails)
{
    [Description("Of a model that guesses tokens ahead.")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public CompletionTokensDetails? CompletionTokensDetails { get; init; }
}

/// <summary>Tokens that a model guessed ahead of itself. Wrong guesses cost time and are no part of the answer.</summary>
internal sealed record CompletionTokensDetails(
    [property: Description("Guesses that were right.")] int AcceptedPredictionTokens,
    [property: Description("Guesses that were wrong.")] int RejectedPredictionTokens);

/// <summary>Tokens of prompts whose keys and values were cached.</summary>
internal sealed record PromptTokensDetails(int CachedTokens);

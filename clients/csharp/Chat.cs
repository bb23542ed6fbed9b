using System.Text.Json.Serialization;

namespace Serving.Client;

/// <summary>The body of a chat.</summary>
public sealed record ChatRequest : GenerationOptions
{
    /// <summary>The conversation.</summary>
    public required IReadOnlyList<ChatMessage> Messages { get; init; }

    /// <summary>Answers. Default 1.</summary>
    public int? N { get; init; }

    /// <summary>Report log-probabilities.</summary>
    public bool? Logprobs { get; init; }

    /// <summary>0 to 20 alternatives for each token, with <see cref="Logprobs"/>.</summary>
    public int? TopLogprobs { get; init; }

    /// <summary>Models to be averaged, instead of <see cref="GenerationOptions.Model"/>.</summary>
    public EnsembleDefinition? Ensemble { get; init; }

    [JsonInclude]
    internal bool? Stream { get; init; }
}

/// <summary>A message.</summary>
/// <param name="Role"><c>system</c>, <c>user</c> or <c>assistant</c>.</param>
/// <param name="Content">The text.</param>
public sealed record ChatMessage(string Role, string Content);

/// <summary>A whole answer.</summary>
/// <param name="Id">Its name.</param>
/// <param name="Model">Who answered.</param>
/// <param name="SystemFingerprint">Changes with the weights, the experts or the arithmetic.</param>
/// <param name="Choices">The answers.</param>
/// <param name="Usage">Tokens.</param>
/// <param name="Ensemble">Of an ensemble, the members and weights that made the answer.</param>
public sealed record ChatCompletion(
    string Id, string Model, string SystemFingerprint, IReadOnlyList<ChatChoice> Choices, Usage Usage, EnsembleWeights? Ensemble = null);

/// <summary>An answer.</summary>
/// <param name="Index">Its place.</param>
/// <param name="Message">What the model says.</param>
/// <param name="Logprobs">When asked for.</param>
/// <param name="FinishReason"><c>stop</c> or <c>length</c>.</param>
public sealed record ChatChoice(int Index, ChatMessage Message, ChatLogprobs? Logprobs, string? FinishReason);

/// <summary>A chunk of a streamed answer.</summary>
/// <param name="Id">The same in all chunks.</param>
/// <param name="Model">Who answers.</param>
/// <param name="Choices">What a step added.</param>
public sealed record ChatChunk(string Id, string Model, IReadOnlyList<ChatChunkChoice> Choices);

/// <summary>What a step added to an answer.</summary>
/// <param name="Index">The answer's place.</param>
/// <param name="Delta">New text.</param>
/// <param name="Logprobs">When asked for.</param>
/// <param name="FinishReason">Null before the last chunk.</param>
public sealed record ChatChunkChoice(int Index, ChatDelta Delta, ChatLogprobs? Logprobs, string? FinishReason);

/// <summary>New text.</summary>
/// <param name="Role">In the first chunk.</param>
/// <param name="Content">The text.</param>
public sealed record ChatDelta(string? Role, string? Content);

/// <summary>Log-probabilities in chat's shape.</summary>
/// <param name="Content">One entry a token.</param>
public sealed record ChatLogprobs(IReadOnlyList<ChatTokenLogprob> Content);

/// <summary>A token.</summary>
/// <param name="Token">Its text.</param>
/// <param name="Logprob">Nats.</param>
/// <param name="Bytes">Its UTF-8.</param>
/// <param name="TopLogprobs">The likeliest tokens, best first.</param>
public sealed record ChatTokenLogprob(string Token, float Logprob, IReadOnlyList<int> Bytes, IReadOnlyList<ChatTokenLogprob>? TopLogprobs);

using System.ComponentModel;
using System.Text.Json.Serialization;
using Serving.Server.Completions;
using Serving.Server.Ensembles;

namespace Serving.Server.Chat;

/// <summary>A whole answer.</summary>
internal sealed record ChatCompletion
{
    public required string Id { get; init; }

    [Description("Always chat.completion.")]
    public string Object { get; init; } = "chat.completion";

    [Description("Seconds since 1970.")]
    public required long Created { get; init; }

    public required string Model { get; init; }

    [Description("Changes with the weights, the tokenizer or the arithmetic behind the answer.")]
    public required string SystemFingerprint { get; init; }

    [Description("Of an ensemble: the members and weights that made this answer, whatever became of its definition meanwhile.")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public EnsembleWeights? Ensemble { get; init; }

    public required IReadOnlyList<ChatChoice> Choices { get; init; }

    public required CompletionUsage Usage { get; init; }
}

/// <summary>One answer.</summary>
internal sealed record ChatChoice(
    int Index, ChatAnswerMessage Message, ChatLogprobs? Logprobs,
    [property: Description("stop or length.")] string? FinishReason);

/// <summary>What the model says.</summary>
internal sealed record ChatAnswerMessage(string Content)
{
    [Description("Always assistant.")]
    public string Role { get; init; } = "assistant";

    [Description("Always null.")]
    public string? Refusal { get; init; }
}

/// <summary>A chunk of a streamed answer.</summary>
internal sealed record ChatChunk
{
    [Description("The same in all chunks of a stream.")]
    public required string Id { get; init; }

    [Description("Always chat.completion.chunk.")]
    public string Object { get; init; } = "chat.completion.chunk";

    [Description("Seconds since 1970.")]
    public required long Created { get; init; }

    public required string Model { get; init; }

    public required string SystemFingerprint { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public EnsembleWeights? Ensemble { get; init; }

    public required IReadOnlyList<ChatChunkChoice> Choices { get; init; }

    [Description("Only when asked for, and then null in all chunks but the last.")]
    public CompletionUsage? Usage { get; init; }
}

/// <summary>What a step added to an answer.</summary>
internal sealed record ChatChunkChoice(
    int Index, ChatDelta Delta, ChatLogprobs? Logprobs,
    [property: Description("stop or length; null until the choice's last chunk.")] string? FinishReason);

/// <summary>New text.</summary>
internal sealed record ChatDelta(
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), Description("assistant, in a choice's first chunk.")] string? Role,
    string Content);

/// <summary>Log-probabilities in chat's shape.</summary>
/// <param name="Content">One entry a token.</param>
internal sealed record ChatLogprobs(IReadOnlyList<ChatTokenLogprob> Content)
{
    [Description("Always null.")]
    public IReadOnlyList<ChatTokenLogprob>? Refusal { get; init; }
}

/// <summary>A generated token.</summary>
/// <param name="Token">Its text, as in completions.</param>
/// <param name="Logprob">Nats, before temperature.</param>
/// <param name="Bytes">The UTF-8 that it stands for.</param>
/// <param name="TopLogprobs">The likeliest tokens, best first.</param>
internal sealed record ChatTokenLogprob(
    string Token, float Logprob, IReadOnlyList<int> Bytes, IReadOnlyList<ChatTopLogprob> TopLogprobs);

/// <summary>An alternative.</summary>
internal sealed record ChatTopLogprob(string Token, float Logprob, IReadOnlyList<int> Bytes);

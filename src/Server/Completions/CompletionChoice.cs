using System.ComponentModel;
using System.Text.Json.Serialization;

namespace Serving.Server.Completions;

/// <summary>One answer, or what a step added to it.</summary>
/// <param name="Index">Prompt-major: all answers to the first prompt, then all to the second.</param>
/// <param name="Text">The text.</param>
/// <param name="Logprobs">When asked for.</param>
/// <param name="FinishReason">Null until the last chunk.</param>
internal sealed record CompletionChoice(
    [property: Description("Prompt-major: all answers to the first prompt, then all to the second.")] int Index,
    string Text,
    CompletionLogprobs? Logprobs,
    [property: Description("stop or length; null until the choice's last chunk.")] string? FinishReason)
{
    [Description("When asked for: what each expert of the ensemble thought of the generated tokens.")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ExpertLogprobs? ExpertLogprobs { get; init; }

    [Description("When asked for: the prompt's tokens; of a stream, in the choice's first chunk.")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<int>? PromptTokenIds { get; init; }

    [Description("When asked for: the generated tokens, in the order of logprobs.tokens without an echoed prompt.")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<int>? TokenIds { get; init; }
}

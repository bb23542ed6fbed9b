using System.ComponentModel;

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
    [property: Description("stop or length; null until the choice's last chunk.")] string? FinishReason);

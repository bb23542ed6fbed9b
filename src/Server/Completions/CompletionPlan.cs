using Serving.Inference;
using Serving.Server.Models;

namespace Serving.Server.Completions;

/// <summary>A request that cannot be invalid any more.</summary>
/// <param name="Model">Who answers.</param>
/// <param name="Choices">What to generate, prompt-major.</param>
/// <param name="PromptTokens">Tokens of all prompts, each counted once.</param>
/// <param name="Stream">Whether to send events.</param>
/// <param name="IncludeUsage">Whether the stream ends with the usage.</param>
internal sealed record CompletionPlan(
    ServedModel Model, IReadOnlyList<CompletionPlan.Choice> Choices, int PromptTokens, bool Stream, bool IncludeUsage)
{
    /// <summary>One answer to generate.</summary>
    /// <param name="Index">Its place in the answer.</param>
    /// <param name="Request">What the engine is asked.</param>
    /// <param name="Echo">The prompt's text, when the answer begins with it.</param>
    internal sealed record Choice(int Index, GenerationRequest Request, string? Echo);
}

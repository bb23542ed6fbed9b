using Serving.Inference;
using Serving.Server.Models;

namespace Serving.Server.Completions;

/// <summary>A request that cannot be invalid any more.</summary>
/// <param name="Model">Who answers.</param>
/// <param name="Choices">What to generate, prompt-major: for each prompt as many as <see cref="Candidates"/>.</param>
internal sealed record CompletionPlan(ServedModel Model, IReadOnlyList<CompletionPlan.Choice> Choices)
{
    /// <summary>Tokens of all prompts, each counted once.</summary>
    public required int PromptTokens { get; init; }

    /// <summary>Answers to each prompt that are returned.</summary>
    public int Answers { get; init; } = 1;

    /// <summary>Answers to each prompt that are generated; the best of them are returned.</summary>
    public int Candidates { get; init; } = 1;

    /// <summary>Whether log-probabilities are part of the answer.</summary>
    public bool HasLogprobs { get; init; }

    /// <summary>Whether the ids of tokens are.</summary>
    public bool HasTokenIds { get; init; }

    /// <summary>Whether to send events.</summary>
    public bool Stream { get; init; }

    /// <summary>Whether the stream ends with the usage.</summary>
    public bool IncludeUsage { get; init; }

    /// <summary>The most tokens that the request can take: its prompts, and all answers at their longest.</summary>
    public long MostTokens => PromptTokens + Choices.Sum(choice => (long)choice.Request.MaxTokens);

    /// <summary>The answers to one prompt: equal requests but for their names and seeds.</summary>
    /// <param name="template">What all answers have in common.</param>
    /// <param name="prompt">The prompt's tokens.</param>
    /// <param name="room">Tokens that the context leaves.</param>
    /// <param name="first">The index of the first answer.</param>
    /// <param name="count">How many.</param>
    /// <param name="echo">The prompt's text, when the answers begin with it.</param>
    public static IEnumerable<Choice> ChoicesOf(
        GenerationRequest template, int[] prompt, int room, int first, int count, string? echo) =>
        Enumerable.Range(0, count).Select(answer => new Choice(first + answer, template with
        {
            Id = first + answer == 0 ? template.Id : $"{template.Id}/{first + answer}",
            PromptTokens = prompt,
            MaxTokens = Math.Min(template.MaxTokens, room),
            MinTokens = Math.Min(template.MinTokens, room),
            Sampling = template.Sampling with { Seed = unchecked(template.Sampling.Seed + (ulong)answer) },
        }, echo));

    /// <summary>One answer to generate.</summary>
    /// <param name="Index">Its place in <see cref="Choices"/>.</param>
    /// <param name="Request">What the engine is asked.</param>
    /// <param name="Echo">The prompt's text, when the answer begins with it.</param>
    internal sealed record Choice(int Index, GenerationRequest Request, string? Echo);
}

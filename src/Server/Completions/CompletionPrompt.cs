using System.Text.Json.Serialization;

namespace Serving.Server.Completions;

/// <summary>The prompts of a request, in any of the four forms that hold something; the fifth is null, a new text.</summary>
[JsonConverter(typeof(CompletionPromptConverter))]
internal sealed record CompletionPrompt(IReadOnlyList<CompletionPrompt.Item> Items, bool IsList)
{
    /// <summary>One prompt: a text or token ids, never both.</summary>
    public readonly record struct Item(string? Text, int[]? TokenIds);

    /// <summary>The path of a prompt's field, for messages.</summary>
    public string PathOf(int item, string field = "prompt") => IsList ? $"{field}[{item}]" : field;
}

namespace Serving.Client;

/// <summary>The body of a request for embeddings.</summary>
public sealed record EmbeddingRequest
{
    /// <summary>Whose vectors.</summary>
    public required string Model { get; init; }

    /// <summary>Texts or token ids.</summary>
    public required Prompt Input { get; init; }

    /// <summary><c>last</c> (default): final hidden states; <c>input</c>: frozen vectors. The mean over all tokens of a text.</summary>
    public string? Layer { get; init; }
}

internal sealed record EmbeddingEntry(float[] Embedding);

/// <summary>A text cut into tokens.</summary>
/// <param name="Tokens">Ids.</param>
/// <param name="TokenStrs">Each token's text.</param>
/// <param name="Count">How many.</param>
public sealed record Tokenization(IReadOnlyList<int> Tokens, IReadOnlyList<string> TokenStrs, int Count);

internal sealed record TokenizeRequest(string Model, string Prompt, string? SpecialTokens);

internal sealed record DetokenizeRequest(string Model, IReadOnlyList<int> Tokens);

internal sealed record Detokenization(string Prompt);

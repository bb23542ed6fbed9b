using System.ComponentModel;

namespace Serving.Server.Embeddings;

/// <summary>The answer of <c>POST /v1/embeddings</c>.</summary>
internal sealed record EmbeddingList(IReadOnlyList<Embedding> Data, string Model, EmbeddingUsage Usage)
{
    [Description("Always list.")]
    public string Object { get; init; } = "list";
}

/// <summary>One input's vector.</summary>
/// <param name="Index">The input's place.</param>
/// <param name="Vector">The vector.</param>
internal sealed record Embedding(
    int Index, [property: System.Text.Json.Serialization.JsonPropertyName("embedding")] EmbeddingVector Vector)
{
    [Description("Always embedding.")]
    public string Object { get; init; } = "embedding";
}

/// <summary>Tokens of all inputs.</summary>
internal sealed record EmbeddingUsage(int PromptTokens, int TotalTokens);

using System.Text.Json.Serialization;

namespace Serving.Client;

/// <summary>All that goes over the wire.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(CompletionRequest))]
[JsonSerializable(typeof(Completion))]
[JsonSerializable(typeof(ChatRequest))]
[JsonSerializable(typeof(ChatCompletion))]
[JsonSerializable(typeof(ChatChunk))]
[JsonSerializable(typeof(EmbeddingRequest))]
[JsonSerializable(typeof(ListOf<EmbeddingEntry>), TypeInfoPropertyName = "EmbeddingEntries")]
[JsonSerializable(typeof(TokenizeRequest))]
[JsonSerializable(typeof(Tokenization))]
[JsonSerializable(typeof(DetokenizeRequest))]
[JsonSerializable(typeof(Detokenization))]
[JsonSerializable(typeof(ModelInfo))]
[JsonSerializable(typeof(ListOf<ModelInfo>), TypeInfoPropertyName = "ModelInfos")]
[JsonSerializable(typeof(EnsembleDefinition))]
[JsonSerializable(typeof(EnsembleInfo))]
[JsonSerializable(typeof(ListOf<EnsembleInfo>), TypeInfoPropertyName = "EnsembleInfos")]
[JsonSerializable(typeof(CompareRequest))]
[JsonSerializable(typeof(ScoreRequest))]
[JsonSerializable(typeof(GeneratedComparison))]
[JsonSerializable(typeof(ScoredComparison))]
[JsonSerializable(typeof(TableDescription))]
[JsonSerializable(typeof(TokenDescription))]
[JsonSerializable(typeof(ListOf<TokenDescription>), TypeInfoPropertyName = "TokenDescriptions")]
[JsonSerializable(typeof(RebuiltGlyph))]
[JsonSerializable(typeof(SimilarityRequest))]
[JsonSerializable(typeof(Similarity))]
[JsonSerializable(typeof(TokenMap))]
[JsonSerializable(typeof(Failure))]
[JsonSerializable(typeof(ProblemDetails))]
[JsonSerializable(typeof(string[]))]
[JsonSerializable(typeof(int[]))]
[JsonSerializable(typeof(int[][]))]
internal sealed partial class ClientJson : JsonSerializerContext;

/// <summary>An error under <c>/v1</c>.</summary>
internal sealed record Failure(Failure.Content? Error)
{
    internal sealed record Content(string Message, string? Code, string? Param);
}

/// <summary>An error elsewhere.</summary>
internal sealed record ProblemDetails(string? Detail, string? Code, string? Param);

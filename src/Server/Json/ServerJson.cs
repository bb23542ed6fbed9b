using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Mvc;
using Serving.Server.Chat;
using Serving.Server.Completions;
using Serving.Server.Embeddings;
using Serving.Server.Ensembles;
using Serving.Server.Errors;
using Serving.Server.Health;
using Serving.Server.Models;
using Serving.Server.Tokens;

namespace Serving.Server.Json;

/// <summary>All contracts of the server. Reading is strict: no duplicate keys, no depth beyond 32. Writing leaves text that is
/// not ASCII as it is: an answer is never a part of a web page.</summary>
[JsonSerializable(typeof(ApiErrorResponse))]
[JsonSerializable(typeof(ProblemDetails))]
[JsonSerializable(typeof(CompletionRequest))]
[JsonSerializable(typeof(Completion))]
[JsonSerializable(typeof(ChatRequest))]
[JsonSerializable(typeof(ChatCompletion))]
[JsonSerializable(typeof(ChatChunk))]
[JsonSerializable(typeof(EmbeddingRequest))]
[JsonSerializable(typeof(EmbeddingList))]
[JsonSerializable(typeof(TokenizeRequest))]
[JsonSerializable(typeof(TokenizeAnswer))]
[JsonSerializable(typeof(DetokenizeRequest))]
[JsonSerializable(typeof(DetokenizeAnswer))]
[JsonSerializable(typeof(TokenizerInfo))]
[JsonSerializable(typeof(ModelList))]
[JsonSerializable(typeof(HealthReport))]
[JsonSerializable(typeof(Dictionary<string, EnsembleDefinition>))]
[JsonSerializable(typeof(string))]
internal sealed partial class ServerJson : JsonSerializerContext
{
    private const int MaxDepth = 32;

    /// <summary>The contracts for writing and reading by hand.</summary>
    public static ServerJson Contracts { get; } = new(Configured(new JsonSerializerOptions()));

    /// <summary>Makes minimal APIs read and write with these contracts.</summary>
    public static void Configure(JsonSerializerOptions options) => Configured(options).TypeInfoResolver = Contracts;

    private static JsonSerializerOptions Configured(JsonSerializerOptions options)
    {
        options.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower;
        options.PropertyNameCaseInsensitive = false;
        options.NumberHandling = JsonNumberHandling.Strict;
        options.AllowDuplicateProperties = false;
        options.MaxDepth = MaxDepth;
        options.Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;
        return options;
    }
}

using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Mvc;
using Serving.Server.Completions;
using Serving.Server.Errors;
using Serving.Server.Health;
using Serving.Server.Models;

namespace Serving.Server.Json;

/// <summary>All contracts of the server. Reading is strict: no duplicate keys, no depth beyond 32.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    AllowDuplicateProperties = false,
    MaxDepth = MaxDepth)]
[JsonSerializable(typeof(ApiErrorResponse))]
[JsonSerializable(typeof(ProblemDetails))]
[JsonSerializable(typeof(CompletionRequest))]
[JsonSerializable(typeof(Completion))]
[JsonSerializable(typeof(ModelList))]
[JsonSerializable(typeof(HealthReport))]
[JsonSerializable(typeof(string))]
[JsonSerializable(typeof(int))]
internal sealed partial class ServerJson : JsonSerializerContext
{
    private const int MaxDepth = 32;

    /// <summary>The same contracts; text that is not ASCII is written as it is. An answer is never a part of a web page.</summary>
    public static ServerJson Readable { get; } = new(new JsonSerializerOptions(Default.Options)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });

    /// <summary>Makes minimal APIs read and write with these contracts.</summary>
    public static void Configure(JsonSerializerOptions options)
    {
        options.TypeInfoResolver = Default;
        options.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower;
        options.PropertyNameCaseInsensitive = false;
        options.NumberHandling = JsonNumberHandling.Strict;
        options.AllowDuplicateProperties = false;
        options.MaxDepth = MaxDepth;
        options.Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;
    }
}

using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using Serving.Server.Access;
using Serving.Server.Errors;

namespace Serving.Server.OpenApi;

/// <summary>Adds to each operation what all have in common: examples, who may call it, and the answers that middleware gives.</summary>
internal static class OperationTransformer
{
    public const string KeyScheme = "key";

    private const string Json = "application/json";

    public static Task TransformAsync(
        OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken cancellationToken)
    {
        IList<object> metadata = context.Description.ActionDescriptor.EndpointMetadata;
        if (metadata.OfType<EventStreamOf>().LastOrDefault() is { } stream && operation.Responses?["200"].Content is { } contents)
            contents["text/event-stream"] = new OpenApiMediaType { Schema = Reference(stream.Chunk.Name) };
        if (metadata.OfType<EitherOf>().LastOrDefault() is { } either && operation.Responses?["200"].Content is { } answers)
            answers[Json] = new OpenApiMediaType { Schema = new OpenApiSchema { AnyOf = [Reference(either.One.Name), Reference(either.Other.Name)] } };
        if (metadata.OfType<RouteExample>().LastOrDefault() is { } example)
            AddExample(operation, example);
        AccessRule? rule = metadata.OfType<AccessRuleMetadata>().LastOrDefault()?.Rule;
        if (rule == AccessRule.Anybody)
            return Task.CompletedTask;
        operation.Security = [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(KeyScheme, context.Document)] = [] }];
        AddError(StatusCodes.Status401Unauthorized, "Keys are configured, and none or a wrong one was sent.");
        if (rule == AccessRule.Admin)
            AddError(StatusCodes.Status403Forbidden, "The key has not the scope admin.");
        if (operation.RequestBody is not null)
            AddError(StatusCodes.Status429TooManyRequests, "The key's requests or tokens are used up, or the queue is full; Retry-After says when to come back.");

        return Task.CompletedTask;

        void AddError(int status, string description)
        {
            bool isApi = context.Description.RelativePath?.StartsWith("v1/", StringComparison.Ordinal) is true;
            var content = new OpenApiMediaType { Schema = Reference(isApi ? nameof(ApiErrorResponse) : nameof(Microsoft.AspNetCore.Mvc.ProblemDetails)) };
            operation.Responses![status.ToString(CultureInfo.InvariantCulture)] = new OpenApiResponse
            {
                Description = description,
                Content = new Dictionary<string, OpenApiMediaType> { [isApi ? Json : "application/problem+json"] = content },
            };
        }

        OpenApiSchemaReference Reference(string schema) => new(schema, context.Document);
    }

    private static void AddExample(OpenApiOperation operation, RouteExample example)
    {
        if (example.Request is not null && operation.RequestBody?.Content?.TryGetValue(Json, out var body) is true)
            ((OpenApiMediaType)body).Example = JsonNode.Parse(example.Request);
        if (operation.Responses?.TryGetValue("200", out IOpenApiResponse? answer) is true
            && answer.Content?.TryGetValue(Json, out var content) is true)
            ((OpenApiMediaType)content).Example = JsonNode.Parse(example.Response);
    }
}

using System.Text.Json.Nodes;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.Extensions.Options;
using Microsoft.OpenApi;
using Serving.Server.Chat;
using Serving.Server.Comparisons;
using Serving.Server.Completions;
using Serving.Server.Embeddings;
using Serving.Server.Hosting;

namespace Serving.Server.OpenApi;

/// <summary>The OpenAPI document at <c>/openapi/v1.json</c> and Swagger UI over it at <c>/swagger</c>, which works offline.</summary>
internal static class ServingOpenApi
{
    private const string DocumentPath = "/openapi/v1.json";

    public static void AddServingOpenApi(this IServiceCollection services) => services.AddOpenApi(options =>
    {
        options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
        options.AddDocumentTransformer(Describe);
        options.AddSchemaTransformer(DescribeUnions);
        options.AddOperationTransformer(OperationTransformer.TransformAsync);
    });

    public static void UseServingSwagger(this WebApplication app)
    {
        if (!app.Services.GetRequiredService<IOptions<ServingOptions>>().Value.Swagger)
            return;
        app.UseSwaggerUI(ui =>
        {
            ui.SwaggerEndpoint(DocumentPath, "Serving");
            ui.DocumentTitle = "Serving";
        });
    }

    private static async Task Describe(
        OpenApiDocument document, OpenApiDocumentTransformerContext context, CancellationToken cancellationToken)
    {
        document.Info = new OpenApiInfo
        {
            Title = "Serving",
            Version = typeof(ServingOpenApi).Assembly.GetName().Version?.ToString(3),
            Description = "A model server for frozen-embedding language models, in OpenAI's shapes. "
                + "Every response carries an x-request-id: the caller's own if it is 1 to 128 of A-Z a-z 0-9 . _ : -, else the server's.",
        };
        // Where the document was asked for says nothing about the server.
        document.Servers = [new OpenApiServer { Url = "http://127.0.0.1:8080" }];
        document.Components ??= new OpenApiComponents();
        document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>
        {
            [OperationTransformer.KeyScheme] = new OpenApiSecurityScheme
            {
                Type = SecuritySchemeType.Http,
                Scheme = "bearer",
                Description = "An API key, where the server has keys (setting Serving:Keys).",
            },
        };
        // Answers that the framework does not see: of streams, and where a route has two.
        foreach (Type unseen in (Type[])[typeof(ChatChunk), typeof(ScoredComparison)])
            document.AddComponent(unseen.Name, await context.GetOrCreateSchemaAsync(unseen, null, cancellationToken));
    }

    // The serializer cannot see through the converters of these types.
    private static Task DescribeUnions(
        OpenApiSchema schema, OpenApiSchemaTransformerContext context, CancellationToken cancellationToken)
    {
        if (context.JsonTypeInfo.Type == typeof(CompletionPrompt))
            schema.OneOf = [Text(), ListOf(Text()), ListOf(Id()), ListOf(ListOf(Id()))];
        else if (context.JsonTypeInfo.Type == typeof(StopTexts))
            schema.OneOf = [Text(), ListOf(Text(), CompletionLimits.MaxStopTexts)];
        else if (context.JsonTypeInfo.Type == typeof(ChatContent))
            schema.OneOf = [Text(), ListOf(TextPart())];
        else if (context.JsonTypeInfo.Type == typeof(EmbeddingVector))
            schema.OneOf = [Text(), ListOf(new OpenApiSchema { Type = JsonSchemaType.Number, Format = "float" })];
        return Task.CompletedTask;
    }

    private static OpenApiSchema Text() => new() { Type = JsonSchemaType.String };

    private static OpenApiSchema TextPart() => new()
    {
        Type = JsonSchemaType.Object,
        Required = new HashSet<string> { "type", "text" },
        Properties = new Dictionary<string, IOpenApiSchema>
        {
            ["type"] = new OpenApiSchema { Type = JsonSchemaType.String, Enum = [JsonValue.Create("text")] },
            ["text"] = Text(),
        },
    };

    private static OpenApiSchema Id() => new() { Type = JsonSchemaType.Integer, Format = "int32", Minimum = "0" };

    private static OpenApiSchema ListOf(OpenApiSchema items, int? most = null) =>
        new() { Type = JsonSchemaType.Array, Items = items, MaxItems = most };
}

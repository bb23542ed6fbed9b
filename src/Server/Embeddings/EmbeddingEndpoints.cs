using Microsoft.Extensions.Options;
using Serving.Server.Access;
using Serving.Server.Completions;
using Serving.Server.Ensembles;
using Serving.Server.Errors;
using Serving.Server.Hosting;
using Serving.Server.Json;
using Serving.Server.Logging;
using Serving.Server.OpenApi;
using Serving.Server.Telemetry;

namespace Serving.Server.Embeddings;

/// <summary><c>POST /v1/embeddings</c>.</summary>
internal static class EmbeddingEndpoints
{
    public static void MapEmbeddings(this IEndpointRouteBuilder v1) => v1.MapPost("/embeddings", EmbedAsync)
        .WithName("createEmbedding").WithTags("Embeddings").WithMetadata(new GenerativeOperation("embeddings"))
        .WithSummary("Turns texts into vectors.")
        .WithDescription("The mean over all tokens of a text, not normalised: of the final hidden states, or, with layer: input, of the "
            + "frozen input vectors, which are the same in all models that stand on one table.")
        .WithExample("""
            {"model": "glyph-en", "input": ["an old house", "a river"], "layer": "last"}
            """, """
            {"data": [{"index": 0, "embedding": [0.12, -0.5], "object": "embedding"}, {"index": 1, "embedding": [0.31, 0.02],
             "object": "embedding"}], "model": "glyph-en", "usage": {"prompt_tokens": 9, "total_tokens": 9}, "object": "list"}
            """)
        .Produces<EmbeddingList>()
        .ProducesErrors(ErrorResponses.OfGeneration);

    private static async Task EmbedAsync(
        EmbeddingRequest request, HttpContext http, EnsembleEngines engines, Drain drain, IOptions<ServingOptions> options)
    {
        using RentedModel rented = await engines.RentAsync(request.Model, definition: null);
        RequestFacts.Of(http).Model = rented.Model.Id;
        RequestTelemetry.Of(http).Begin(rented.Model);
        EmbeddingPlan plan = new EmbeddingValidator(rented.Model).Validate(request, Caller.Of(http));
        KeyUse.Of(http)?.Take(plan.Tokens, EmbeddingRun.MaxAtOnce);
        RequestFacts.Of(http).PromptTokens = plan.Tokens;
        using AnswerDeadline deadline = new(http, options.Value, drain.Forced);
        float[][] vectors = await deadline.WithinAsync(EmbeddingRun.ComputeAsync(plan, Caller.Of(http), deadline.Token));
        var answer = new EmbeddingList(
            [.. vectors.Select((vector, i) => new Embedding(i, new EmbeddingVector(vector, plan.AsBase64)))],
            plan.Model.Id, new EmbeddingUsage(plan.Tokens, plan.Tokens));
        await http.Response.WriteAnswerAsync(answer, ServerJson.Contracts.EmbeddingList, options.Value.WriteTimeout);
    }
}

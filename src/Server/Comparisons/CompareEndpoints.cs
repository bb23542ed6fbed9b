using Microsoft.Extensions.Options;
using Serving.Server.Errors;
using Serving.Server.Hosting;
using Serving.Server.Json;

namespace Serving.Server.Comparisons;

/// <summary><c>POST /v1/compare</c>.</summary>
internal static class CompareEndpoints
{
    public static void MapCompare(this IEndpointRouteBuilder v1) => v1.MapPost("/compare", CompareAsync)
        .WithName("compare").WithTags("Compare")
        .WithSummary("Asks several models, ensembles or sums the same thing.")
        .WithDescription("With a prompt: what each one writes, from the same seed, and where the first two part (GeneratedComparison). "
            + "With a text: how likely each one finds it, and how far their distributions are apart (ScoredComparison). The text's first token is "
            + "conditioned on nothing and not counted.")
        .Produces<GeneratedComparison>(StatusCodes.Status200OK)
        .ProducesErrors(StatusCodes.Status400BadRequest, StatusCodes.Status404NotFound, StatusCodes.Status409Conflict,
            StatusCodes.Status413PayloadTooLarge, StatusCodes.Status415UnsupportedMediaType, StatusCodes.Status429TooManyRequests,
            StatusCodes.Status500InternalServerError, StatusCodes.Status503ServiceUnavailable);

    private static async Task CompareAsync(
        CompareRequest request, HttpContext http, PromptComparer prompts, TextComparer texts, Drain drain, IOptions<ServingOptions> options)
    {
        CompareRules.Check(request, http.Request.Headers["X-Strict"] is ["1"]);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, drain.Forced);
        ServerJson json = ServerJson.Contracts;
        try
        {
            if (request.Text is null)
            {
                GeneratedComparison written = await prompts.CompareAsync(request, http.TraceIdentifier, options.Value.MaxChoices, ending.Token);
                await http.Response.WriteAsJsonAsync(written, json.GeneratedComparison, cancellationToken: http.RequestAborted);
            }
            else
            {
                ScoredComparison scored = await texts.CompareAsync(request, ending.Token);
                await http.Response.WriteAsJsonAsync(scored, json.ScoredComparison, cancellationToken: http.RequestAborted);
            }
        }
        catch (OperationCanceledException) when (drain.Forced.IsCancellationRequested)
        {
            throw new ApiException(ErrorTable.ShuttingDown());
        }
    }
}

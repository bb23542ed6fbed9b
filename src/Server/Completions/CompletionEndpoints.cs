using Microsoft.Extensions.Options;
using Serving.Server.Ensembles;
using Serving.Server.Errors;
using Serving.Server.Hosting;
using Serving.Server.Logging;
using Serving.Server.Models;
using Serving.Server.Telemetry;

namespace Serving.Server.Completions;

/// <summary><c>POST /v1/completions</c>.</summary>
internal static class CompletionEndpoints
{
    public static void MapCompletions(this IEndpointRouteBuilder v1) => v1.MapPost("/completions", CompleteAsync)
        .WithName("createCompletion").WithTags("Completions").WithMetadata(new GenerativeOperation("text_completion"))
        .WithSummary("Continues a text.")
        .WithDescription("With stream: true the answer is a stream of events of the same shape, then [DONE]. A stream that "
            + "cannot finish sends an event with an error and breaks the connection. Fields that are not known are ignored, "
            + "or refused with the header X-Strict: 1.")
        .Produces<Completion>(StatusCodes.Status200OK, "application/json", "text/event-stream")
        .ProducesErrors(StatusCodes.Status400BadRequest, StatusCodes.Status404NotFound, StatusCodes.Status409Conflict, StatusCodes.Status413PayloadTooLarge,
            StatusCodes.Status415UnsupportedMediaType, StatusCodes.Status429TooManyRequests, StatusCodes.Status500InternalServerError,
            StatusCodes.Status503ServiceUnavailable);

    private static async Task CompleteAsync(
        CompletionRequest request, HttpContext http, EnsembleEngines engines, Drain drain, IOptions<ServingOptions> options)
    {
        using RentedModel rented = await engines.RentAsync(request.Model, request.Ensemble);
        ServedModel model = rented.Model;
        RequestFacts.Of(http).Model = model.Id;
        bool strict = http.Request.Headers["X-Strict"] is ["1"];
        var validator = new CompletionValidator(model, options.Value.MaxChoices);
        CompletionPlan plan = validator.Validate(request, http.TraceIdentifier, strict);
        await CompletionAnswer.WriteAsync(http, plan, options.Value, drain.Forced);
    }
}

using Microsoft.Extensions.Options;
using Serving.Server.Ensembles;
using Serving.Server.Errors;
using Serving.Server.Hosting;
using Serving.Server.Logging;
using Serving.Server.Models;
using Serving.Server.OpenApi;
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
        .WithExample("""
            {"model": "glyph-ru", "prompt": "В начале", "max_tokens": 32, "temperature": 0.8, "seed": 1, "stream": false}
            """, """
            {"id": "cmpl-01a1fc7690e87b01a5553463936e6fba", "object": "text_completion", "created": 1795236991, "model": "glyph-ru",
             "system_fingerprint": "fp_cbdd9b2d5a44", "choices": [{"index": 0, "text": ", и он не мог понять,", "logprobs": null,
             "finish_reason": "length"}], "usage": {"prompt_tokens": 3, "completion_tokens": 32, "total_tokens": 35,
             "prompt_tokens_details": {"cached_tokens": 0}}}
            """)
        .Produces<Completion>()
        .ProducesEvents<Completion>()
        .ProducesErrors(ErrorResponses.OfGeneration);

    private static async Task CompleteAsync(
        CompletionRequest request, HttpContext http, EnsembleEngines engines, Drain drain, IOptions<ServingOptions> options)
    {
        using RentedModel rented = await engines.RentAsync(request.Model, request.Ensemble);
        ServedModel model = rented.Model;
        RequestFacts.Of(http).Model = model.Id;
        model.Engine.ThrowIfFull(); // before the prompts are cut into tokens
        var validator = new CompletionValidator(model, options.Value.MaxChoices);
        CompletionPlan plan = validator.Validate(request, Caller.Of(http));
        await new CompletionAnswer(http, plan, options.Value, drain.Forced).WriteAsync();
    }
}

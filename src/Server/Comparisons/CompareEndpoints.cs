using Microsoft.Extensions.Options;
using Serving.Server.Completions;
using Serving.Server.Errors;
using Serving.Server.Hosting;
using Serving.Server.Json;
using Serving.Server.OpenApi;

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
        .WithExample("""{"models": ["glyph-en", "glyph-en+glyph-ru"], "prompt": "The old house", "max_tokens": 2, "temperature": 0}""", """
            {"models": [{"model": "glyph-en", "system_fingerprint": "fp_cbdd9b2d5a44", "text": ", and", "tokens": [",", " and"],
             "token_ids": [16, 1017], "token_logprobs": [-1.93, -1.12], "finish_reason": "length",
             "timing": {"queue_seconds": 0.0001, "first_token_seconds": 0.002, "total_seconds": 0.003}}], "first_divergence": 1}
            """)
        .ProducesEither<GeneratedComparison, ScoredComparison>()
        .ProducesErrors(ErrorResponses.OfGeneration);

    private static async Task CompareAsync(
        CompareRequest request, HttpContext http, PromptComparer prompts, TextComparer texts, Drain drain, IOptions<ServingOptions> options)
    {
        CompareRules.Check(request, Caller.Of(http).IsStrict);
        ServerJson json = ServerJson.Contracts;
        using var deadline = new AnswerDeadline(http, options.Value, drain.Forced);
        if (request.Text is null)
        {
            GeneratedComparison written = await deadline.WithinAsync(prompts.CompareAsync(request, http, options.Value.MaxChoices, deadline.Token));
            await http.Response.WriteAnswerAsync(written, json.GeneratedComparison, options.Value.WriteTimeout);
        }
        else
        {
            ScoredComparison scored = await deadline.WithinAsync(texts.CompareAsync(request, http, deadline.Token));
            await http.Response.WriteAnswerAsync(scored, json.ScoredComparison, options.Value.WriteTimeout);
        }
    }
}

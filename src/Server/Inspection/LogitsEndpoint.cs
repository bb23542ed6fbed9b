using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Http.HttpResults;
using Serving.Server.Access;
using Serving.Server.Errors;
using Serving.Server.Logging;
using Serving.Server.Models;

using Serving.Server.OpenApi;

namespace Serving.Server.Inspection;

/// <summary><c>POST /v1/models/{id}/logits</c>: everything that a model says of what comes next.</summary>
internal static class LogitsEndpoint
{
    public static void MapLogits(this IEndpointRouteBuilder v1) => v1.MapPost("/models/{id}/logits", RecordAsync)
        .WithName("recordLogits").WithExample(InspectionExamples.LogitsRequest, InspectionExamples.Logits).WithTags("Models").WithSummary("A model's logits after the last tokens of a text.")
        .WithDescription("For mixing experts by other weights, and for distances between whole distributions. An ensemble has none of its own: "
            + "ask its members, whose weighted mean its answers come from.")
        .ProducesErrors(StatusCodes.Status400BadRequest, StatusCodes.Status404NotFound, StatusCodes.Status503ServiceUnavailable);

    private static async Task<Ok<Logits>> RecordAsync(
        string id, LogitsRequest request, HttpContext http, ModelCatalog catalog, LogitsRecorder recorder)
    {
        if (catalog.FindEnsemble(id) is { } ensemble) throw new ApiException(ErrorTable.NotAModel(ensemble));
        ServedModel model = catalog.Find(id).Require();
        RequestFacts.Of(http).Model = model.Id;
        (int[] tokens, int last) = Check(request, model);
        KeyUse.Of(http)?.Take(tokens.Length, answers: 1);
        RequestFacts.Of(http).PromptTokens = tokens.Length;
        float[] logits = await recorder.RecordAsync(model, tokens, last, http.RequestAborted);
        return TypedResults.Ok(new Logits(model.Id, model.Fingerprint, last, model.VocabularySize,
            Convert.ToBase64String(MemoryMarshal.AsBytes<float>(logits))));
    }

    private static (int[] Tokens, int Last) Check(LogitsRequest request, ServedModel model)
    {
        var problems = new ProblemList();
        int[] tokens = request.Tokens ?? [];
        if (tokens.Length == 0 || tokens.Length > model.ContextTokens)
        {
            problems.Add("tokens", $"'tokens' must have 1 to {model.ContextTokens} token ids; {tokens.Length} were given.",
                tokens.Length == 0 ? ErrorCode.InvalidValue : ErrorCode.ContextLengthExceeded);
        }
        int bad = Array.FindIndex(tokens, id => (uint)id >= (uint)model.VocabularySize);
        if (bad >= 0)
            problems.Add($"tokens[{bad}]", $"A token id must be from 0 to {model.VocabularySize - 1}; tokens[{bad}] is {tokens[bad]}.");
        int most = Math.Max(Math.Min(tokens.Length, LogitsRecorder.MaxValues / model.VocabularySize), 1);
        int last = problems.Integer("last", request.Last, 1, most, absent: 1);
        problems.ThrowIfAny();
        return (tokens, last);
    }
}

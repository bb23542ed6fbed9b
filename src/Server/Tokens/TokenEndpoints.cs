using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Serving.Glyphs.Tokens;
using Serving.Server.Completions;
using Serving.Server.Errors;
using Serving.Server.Logging;
using Serving.Server.Models;
using Serving.Server.OpenApi;

namespace Serving.Server.Tokens;

/// <summary><c>POST /tokenize</c>, <c>POST /detokenize</c> and <c>GET /tokenizer_info</c>.</summary>
internal static class TokenEndpoints
{
    public static void MapTokens(this IEndpointRouteBuilder app)
    {
        RouteGroupBuilder tokens = app.MapGroup("").WithTags("Tokens");
        tokens.MapPost("/tokenize", Tokenize).WithName("tokenize")
            .WithSummary("Cuts a text into a model's tokens.").ProducesProblems(Bodied)
            .WithExample("""{"model": "glyph-en", "prompt": "an old house", "add_special_tokens": false}""",
                """{"tokens": [1021, 5460, 6011], "token_strs": ["an", " old", " house"], "count": 3, "max_model_len": 512}""");
        tokens.MapPost("/detokenize", Detokenize).WithName("detokenize")
            .WithSummary("Joins tokens to a text.").ProducesProblems(Bodied)
            .WithExample("""{"model": "glyph-en", "tokens": [1021, 5460, 6011]}""", """{"prompt": "an old house"}""");
        tokens.MapGet("/tokenizer_info", Info).WithName("tokenizerInfo")
            .WithSummary("Names the control tokens of a model's tokenizer.")
            .ProducesProblems(StatusCodes.Status404NotFound, StatusCodes.Status503ServiceUnavailable)
            .WithExample(null, """
                {"model": "glyph-en", "eos_token": "</s>", "bos_token": "<s>", "pad_token": "<pad>", "vocab_size": 8192,
                 "tokenizer_fingerprint": "sha256:…", "chat_template": null, "chat_template_fault": null}
                """);
    }

    private static ReadOnlySpan<int> Bodied =>
    [
        StatusCodes.Status400BadRequest, StatusCodes.Status404NotFound, StatusCodes.Status413PayloadTooLarge,
        StatusCodes.Status415UnsupportedMediaType, StatusCodes.Status503ServiceUnavailable,
    ];

    private static Ok<TokenizeAnswer> Tokenize(TokenizeRequest request, HttpContext http, ModelCatalog catalog)
    {
        ServedModel model = Model(request.Model, http, catalog);
        var problems = new ProblemList();
        var generation = new GenerationValidator(model, problems);
        if (Caller.Of(http).IsStrict)
            generation.CheckUnknown(request.Unknown?.Keys ?? Enumerable.Empty<string>());
        // Who asks for nothing but the spelling of a control token asks for its id.
        bool isSpelling = request.SpecialTokens is null && model.Tokenizer.SpecialSpellings.Contains(request.Prompt);
        SpecialTokens special = isSpelling ? SpecialTokens.Parse : generation.SpecialTokens(request.SpecialTokens);
        if (request.Prompt is null)
            problems.Add("prompt", "'prompt' is missing: give a text.");
        problems.ThrowIfAny();
        int[] ids = model.Tokenizer.Encode(request.Prompt!, special, request.AddSpecialTokens ?? true);
        return TypedResults.Ok(new TokenizeAnswer(
            ids, Array.ConvertAll(ids, model.Tokenizer.TokenText), ids.Length, model.ContextTokens));
    }

    private static Ok<DetokenizeAnswer> Detokenize(DetokenizeRequest request, HttpContext http, ModelCatalog catalog)
    {
        ServedModel model = Model(request.Model, http, catalog);
        var problems = new ProblemList();
        var generation = new GenerationValidator(model, problems);
        if (Caller.Of(http).IsStrict)
            generation.CheckUnknown(request.Unknown?.Keys ?? Enumerable.Empty<string>());
        if (request.Tokens is null)
            problems.Add("tokens", "'tokens' is missing: give a list of token ids.");
        generation.CheckIds("tokens", request.Tokens ?? []);
        problems.ThrowIfAny();
        return TypedResults.Ok(new DetokenizeAnswer(model.Tokenizer.Decode(request.Tokens, skipSpecialTokens: false)));
    }

    private static Ok<TokenizerInfo> Info([FromQuery] string? model, HttpContext http, ModelCatalog catalog)
    {
        ServedModel served = Model(model, http, catalog);
        return TypedResults.Ok(new TokenizerInfo
        {
            Model = string.IsNullOrEmpty(model) ? served.Id : model,
            EosToken = served.Marks.End,
            BosToken = served.Marks.Begin,
            PadToken = served.Marks.Pad,
            VocabSize = served.VocabularySize,
            TokenizerFingerprint = served.Tokenizer.Fingerprint,
            ChatTemplate = served.ChatTemplate?.Source,
            ChatTemplateFault = served.ChatTemplateFault,
        });
    }

    private static ServedModel Model(string? id, HttpContext http, ModelCatalog catalog)
    {
        ServedModel model = catalog.RequireTokenizerOf(id);
        RequestFacts.Of(http).Model = model.Id;
        return model;
    }
}

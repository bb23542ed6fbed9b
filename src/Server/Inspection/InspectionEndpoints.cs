using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Net.Http.Headers;
using Serving.Glyphs.Embeddings;
using Serving.Server.Errors;
using Serving.Server.Models;
using Serving.Server.OpenApi;

namespace Serving.Server.Inspection;

/// <summary><c>/v1/models/{id}/embeddings</c>: what a model reads instead of text.</summary>
internal static class InspectionEndpoints
{
    public static void MapInspection(this IEndpointRouteBuilder v1)
    {
        RouteGroupBuilder table = v1.MapGroup("/models/{id}/embeddings").WithTags("Embeddings");
        table.MapGet("", Describe).WithName("describeTable").WithExample(null, InspectionExamples.Table).WithSummary("Describes the table of vectors that a model reads.").WithErrors();
        table.MapGet("/{token:int}", DescribeToken).WithName("describeToken").WithExample(null, InspectionExamples.Token).WithSummary("Describes one token and its vector.").WithErrors();
        table.MapGet("/{token:int}/glyph.png", DrawToken).WithName("drawToken").WithSummary("The picture of a token.")
            .Produces<byte[]>(StatusCodes.Status200OK, "image/png").WithErrors();
        table.MapGet("/{token:int}/rebuilt", Rebuild).WithName("rebuildGlyph").WithExample(null, InspectionExamples.Rebuilt)
            .WithSummary("The picture that a token's vector holds, rebuilt from the vector.")
            .WithDescription("picture = mean + length · Dᵀ vector, where D are the directions that the table was made with. Only for a table of source glyph.")
            .WithErrors();
        table.MapGet("/lookup", Lookup).WithName("lookUpTokens").WithExample(null, InspectionExamples.Lookup).WithSummary("Describes the tokens of a text.").WithErrors();
        table.MapGet("/map", Map).WithName("mapTokens").WithExample(null, InspectionExamples.Map).WithSummary("Two principal coordinates of tokens, for a plot.").WithErrors();
        table.MapPost("/similarity", Compare).WithName("compareTokens").WithExample(InspectionExamples.SimilarityRequest, InspectionExamples.Similarity).WithSummary("Cosines between tokens or texts.").WithErrors();
    }

    private static Ok<TableDescription> Describe(string id, TableInspections inspections)
    {
        (ServedModel model, TableInspection table) = inspections.Find(id);
        return TypedResults.Ok(TableDescription.Of(model, table, [.. inspections.SharersOf(model)]));
    }

    private static Ok<TokenDescription> DescribeToken(string id, int token, TableInspections inspections,
        [Description("How many nearest rows to tell, 0 to 100. Default 0.")] int? neighbors = null,
        [Description("Whether to tell the row. Default false.")] bool? vector = null)
    {
        TableInspection table = FindToken(inspections, id, token);
        var query = new InspectionQuery(table);
        int nearest = query.Neighbors(neighbors);
        query.ThrowIfAny();
        return TypedResults.Ok(new TokenReader(table).Describe([token], nearest, vector ?? false)[0]);
    }

    private static FileContentHttpResult DrawToken(string id, int token, HttpContext http, TableInspections inspections,
        [Description("Side of the square that a pixel becomes, 1 to 32. Default 4.")] int? scale = null)
    {
        TableInspection table = FindToken(inspections, id, token);
        var query = new InspectionQuery(table);
        int side = query.Scale(scale);
        query.ThrowIfAny();
        string text = table.SpellingOf(token);
        http.Response.Headers.CacheControl = "no-cache";
        string tag = $"{table.Table.Fingerprint[^16..]}-{table.Tokenizer.Fingerprint[^16..]}-{token}-{side}";
        return TypedResults.Bytes(PngWriter.Write(table.Pictures.Arrange(table.Pictures.Bits(text)), table.Pictures.Side, side), "image/png",
            entityTag: new EntityTagHeaderValue($"\"{tag}\""));
    }

    private static Ok<RebuiltGlyph> Rebuild(string id, int token, TableInspections inspections,
        [Description("How many of the row's first numbers to use, 0 to all. Default all.")] int? components = null)
    {
        TableInspection table = FindToken(inspections, id, token);
        if (table.Kind != TableKind.Glyph)
            throw new ApiException(ErrorTable.NoPictures(id, TableDescription.NameOf(table.Kind)));
        var query = new InspectionQuery(table);
        int kept = query.Components(components);
        query.ThrowIfAny();
        return TypedResults.Ok(RebuiltGlyph.Of(table, token, kept));
    }

    private static Ok<TokenList> Lookup(string id, TableInspections inspections,
        [Description("The text, up to 4,096 tokens.")] string? text = null,
        [Description("How many nearest rows of each token to tell, 0 to 100. Default 0.")] int? neighbors = null,
        [Description("Whether to tell the pictures. Default true.")] bool? glyphs = null)
    {
        (ServedModel model, TableInspection table) = inspections.Find(id);
        var query = new InspectionQuery(table);
        int[] ids = query.TokensOf("text", text, InspectionQuery.MaxTokens);
        int nearest = query.Neighbors(neighbors);
        query.ThrowIfAny();
        return TypedResults.Ok(new TokenList(model.Id, new TokenReader(table).Describe(ids, nearest, withGlyphs: glyphs ?? true)));
    }

    private static Ok<TokenMap> Map(string id, TableInspections inspections,
        [Description("Token ids separated by commas, 2 to 512 different ones. Default: 256 spread over the vocabulary.")] string? tokens = null,
        [Description("A text, whose different tokens are taken, instead of ids.")] string? text = null)
    {
        TableInspection table = inspections.Find(id).Table;
        var query = new InspectionQuery(table);
        query.Require(tokens is null || text is null, "text", "'tokens' and 'text' were both given; give one of them.");
        int[] ids = tokens is not null ? query.Ids("tokens", tokens)
            : text is not null ? query.TokensOf("text", text, 8 * PrincipalMap.MostRows)
            : TokenMap.Spread(table);
        ids = [.. ids.Distinct()];
        query.Count(tokens is null && text is not null ? "text" : "tokens", ids.Length, 2, PrincipalMap.MostRows);
        query.ThrowIfAny();
        return TypedResults.Ok(TokenMap.Of(table, ids));
    }

    private static Ok<Similarity> Compare(string id, SimilarityRequest request, TableInspections inspections)
    {
        TableInspection table = inspections.Find(id).Table;
        var query = new InspectionQuery(table);
        query.Require(request.Texts is null != request.Tokens is null, "texts", "Give either 'texts' or 'tokens'.");
        int count = request.Texts?.Length ?? request.Tokens?.Length ?? 0;
        query.Require(count is >= 1 and <= SimilarityRequest.MaxItems, request.Tokens is null ? "texts" : "tokens",
            $"1 to {SimilarityRequest.MaxItems} things can be compared; {count} were given.");
        query.ThrowIfAny();
        int[][] items = request.Tokens is { } ids
            ? [.. query.Ids("tokens", ids).Select(token => (int[])[token])]
            : [.. request.Texts!.Select((text, i) => query.TokensOf($"texts[{i}]", text, InspectionQuery.MaxTokens))];
        query.ThrowIfAny();
        var reader = new TokenReader(table);
        string?[] names = request.Texts is { } texts ? [.. texts] : [.. request.Tokens!.Select(reader.TextOf)];
        return TypedResults.Ok(Similarity.Of(names, [.. items.Select(tokens => Mean(table.Table, tokens))]));
    }

    private static double[] Mean(FrozenTable table, int[] ids)
    {
        var mean = new double[table.Dimensions];
        foreach (int id in ids)
        {
            ReadOnlySpan<float> row = table.Row(id);
            for (int k = 0; k < mean.Length; k++) mean[k] += row[k] / (double)ids.Length;
        }

        return mean;
    }

    private static TableInspection FindToken(TableInspections inspections, string id, int token)
    {
        TableInspection table = inspections.Find(id).Table;
        return (uint)token < (uint)table.Table.Rows ? table : throw new ApiException(ErrorTable.TokenNotFound(id, token, table.Table.Rows));
    }

    private static void WithErrors(this RouteHandlerBuilder endpoint) => endpoint.ProducesErrors(
        StatusCodes.Status400BadRequest, StatusCodes.Status404NotFound, StatusCodes.Status503ServiceUnavailable);
}

using Microsoft.AspNetCore.Http.HttpResults;
using Serving.Server.Ensembles;
using Serving.Server.Errors;

namespace Serving.Server.Models;

/// <summary><c>GET /v1/models</c> and <c>GET /v1/models/{id}</c>.</summary>
internal static class ModelsEndpoints
{
    public static void MapModels(this IEndpointRouteBuilder v1)
    {
        v1.MapGet("/models", List).WithName("listModels").WithTags("Models")
            .WithSummary("Lists the models and named ensembles of this server.");
        v1.MapGet("/models/{id}", Get).WithName("retrieveModel").WithTags("Models")
            .WithSummary("Describes one model, ensemble or sum of models.")
            .Produces<ApiErrorResponse>(StatusCodes.Status404NotFound);
    }

    private static Ok<ModelList> List(ModelCatalog catalog) =>
        TypedResults.Ok(new ModelList(
            [.. catalog.Entries.Select(entry => Describe(entry, catalog)), .. catalog.Ensembles.Select(Describe)]));

    private static Ok<ModelInfo> Get(string id, ModelCatalog catalog) =>
        TypedResults.Ok(catalog.FindEnsemble(id) is { } ensemble ? Describe(ensemble) : Describe(catalog.Find(id), catalog));

    private static ModelInfo Describe(ModelEntry entry, ModelCatalog catalog)
    {
        ServedModel? model = entry.Model;
        return new ModelInfo
        {
            Id = entry.Id,
            Created = CreatedAt(entry.Folder.Path),
            State = NameOf(entry.State),
            Error = entry.Fault,
            MaxModelLen = model?.ContextTokens,
            VocabSize = model?.VocabularySize,
            Parameters = model?.Facts.Parameters,
            Dtype = model?.Facts.DType,
            Bytes = model?.Facts.Bytes,
            SharedBytes = model is null ? null : SharedBytes(entry, catalog),
            EmbeddingFingerprint = model?.Facts.EmbeddingFingerprint,
            TokenizerFingerprint = model?.Tokenizer.Fingerprint,
        };
    }

    private static ModelInfo Describe(EnsembleEntry entry)
    {
        IReadOnlyList<ServedModel>? members = entry.State == ModelState.Ready ? entry.Require() : null;
        ModelFacts? facts = members is null ? null : ModelFacts.OfEnsemble(members);
        return new ModelInfo
        {
            Id = entry.Id,
            Kind = "ensemble",
            Created = entry.Members.Select(member => CreatedAt(member.Folder.Path)).DefaultIfEmpty().Max(),
            State = NameOf(entry.State),
            Error = entry.State == ModelState.Failed ? entry.Obstacle()?.Error.Message : null,
            MaxModelLen = members?.Zip(entry.Definition.Experts).Where(pair => pair.Second.Weight > 0).Min(pair => pair.First.ContextTokens),
            VocabSize = members?[0].VocabularySize,
            Parameters = facts?.Parameters,
            Dtype = facts?.DType,
            Bytes = facts?.Bytes,
            SharedBytes = facts?.Bytes,
            EmbeddingFingerprint = facts?.EmbeddingFingerprint,
            TokenizerFingerprint = members?[0].Tokenizer.Fingerprint,
            Experts = [.. entry.Definition.Experts.Select(expert => expert.Model)],
        };
    }

    private static long CreatedAt(string folder) =>
        new DateTimeOffset(File.GetLastWriteTimeUtc(Path.Combine(folder, "config.json"))).ToUnixTimeSeconds();

    private static long SharedBytes(ModelEntry entry, ModelCatalog catalog)
    {
        IEnumerable<ModelFacts> others = catalog.Entries.Where(other => other != entry).Select(other => other.Model?.Facts).OfType<ModelFacts>();
        return entry.Model!.Facts.SharedBytes(others);
    }

    /// <summary>The state's name on the wire.</summary>
    public static string NameOf(ModelState state) => state switch
    {
        ModelState.Ready => "ready",
        ModelState.Failed => "failed",
        _ => "loading",
    };
}

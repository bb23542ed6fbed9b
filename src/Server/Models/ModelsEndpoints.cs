using Microsoft.AspNetCore.Http.HttpResults;
using Serving.Inference.Scheduling;
using Serving.Server.Access;
using Serving.Server.Ensembles;
using Serving.Server.Errors;
using Serving.Server.OpenApi;

namespace Serving.Server.Models;

/// <summary><c>GET /v1/models</c> and <c>GET /v1/models/{id}</c>.</summary>
internal static class ModelsEndpoints
{
    private const string ModelExample = """
        {"id": "glyph-en", "object": "model", "created": 1795236991, "owned_by": "serving", "kind": "model", "state": "ready",
         "error": null, "max_model_len": 512, "vocab_size": 8192, "parameters": 5263616, "dtype": "bfloat16", "bytes": 18915840,
         "shared_bytes": 8388608, "embedding_fingerprint": "sha256:…", "tokenizer_fingerprint": "sha256:…", "experts": null}
        """;

    public static void MapModels(this IEndpointRouteBuilder v1)
    {
        v1.MapGet("/models", List).WithName("listModels").WithTags("Models")
            .WithSummary("Lists the models and named ensembles of this server.")
            .WithExample(null, """
                {"data": [{"id": "glyph-en", "object": "model", "created": 1795236991, "owned_by": "serving", "kind": "model", "state": "ready",
                 "error": null, "max_model_len": 512, "vocab_size": 8192, "parameters": 5263616, "dtype": "bfloat16", "bytes": 18915840,
                 "shared_bytes": 8388608, "embedding_fingerprint": "sha256:…", "tokenizer_fingerprint": "sha256:…", "experts": null}],
                 "object": "list"}
                """);
        v1.MapGet("/models/{id}", Get).WithName("retrieveModel").WithTags("Models")
            .WithSummary("Describes one model, ensemble or sum of models.")
            .Produces<ApiErrorResponse>(StatusCodes.Status404NotFound)
            .WithExample(null, ModelExample);
        v1.MapPost("/models/{id}/load", LoadAsync).WithName("loadModel").WithTags("Models")
            .WithSummary("Loads a model, or replaces it by what its folder holds now.")
            .WithDescription("Requests at work keep the version that they began with. While a model is replaced both versions are in memory. "
                + "When its files cannot be used, the version before goes on answering.").RequireAdmin().WithExample(null, ModelExample)
            .ProducesErrors(StatusCodes.Status404NotFound, StatusCodes.Status503ServiceUnavailable);
        v1.MapPost("/models/{id}/unload", UnloadAsync).WithName("unloadModel").WithTags("Models")
            .WithSummary("Takes a model out and frees its memory.")
            .WithDescription("New requests for it are refused at once; the answer comes when those at work have finished.").RequireAdmin().WithExample(null, ModelExample)
            .ProducesErrors(StatusCodes.Status404NotFound);
    }

    private static async Task<Ok<ModelInfo>> LoadAsync(string id, ModelCatalog catalog, ModelLoader loader)
    {
        ModelEntry entry = catalog.Find(id);
        await loader.LoadAsync(entry);
        return TypedResults.Ok(Describe(entry, catalog));
    }

    private static async Task<Ok<ModelInfo>> UnloadAsync(string id, ModelCatalog catalog, ModelLoader loader)
    {
        ModelEntry entry = catalog.Find(id);
        await loader.UnloadAsync(entry);
        return TypedResults.Ok(Describe(entry, catalog));
    }

    private static Ok<ModelList> List(ModelCatalog catalog, EngineOptions engine) =>
        TypedResults.Ok(new ModelList([
            .. catalog.Entries.Select(entry => Describe(entry, catalog)), .. catalog.Ensembles.Select(ensemble => Describe(ensemble, engine))]));

    private static Ok<ModelInfo> Get(string id, ModelCatalog catalog, EngineOptions engine) => TypedResults.Ok(
        catalog.FindEnsemble(id) is { } ensemble ? Describe(ensemble, engine) : Describe(catalog.Find(id), catalog) with { Id = id });

    private static ModelInfo Describe(ModelEntry entry, ModelCatalog catalog)
    {
        ServedModel? model = entry.Model;
        return new ModelInfo
        {
            Id = entry.Id,
            Created = CreatedAt(entry.Folder.Path),
            State = NameOf(entry.State),
            Error = entry.Fault,
            SystemFingerprint = model?.Fingerprint,
            MaxModelLen = model?.ContextTokens,
            VocabSize = model?.VocabularySize,
            Parameters = model?.Facts.Parameters,
            Dtype = model?.Facts.DType,
            Bytes = model?.Facts.Bytes,
            SharedBytes = model?.Facts.SharedBytes(catalog.Entries.Where(other => other != entry).Select(other => other.Model?.Facts).OfType<ModelFacts>()),
            Memory = model is null ? null : ModelMemory.Of(model.Memory),
            EmbeddingFingerprint = model?.Facts.EmbeddingFingerprint,
            TokenizerFingerprint = model?.Tokenizer.Fingerprint,
            Depths = model?.Stages is { Count: > 0 } stages ? [.. stages.Keys.Order()] : null,
        };
    }

    private static ModelInfo Describe(EnsembleEntry entry, EngineOptions engine)
    {
        IReadOnlyList<ServedModel>? members = entry.MembersIfReady();
        IEnumerable<ServedModel>? running = members?.Zip(entry.Definition.Experts).Where(pair => pair.Second.Weight > 0).Select(pair => pair.First);
        ModelFacts? facts = members is null ? null : ModelFacts.OfEnsemble(members);
        return new ModelInfo
        {
            Id = entry.Id,
            Kind = "ensemble",
            Created = entry.Members.Select(member => CreatedAt(member.Folder.Path)).DefaultIfEmpty().Max(),
            State = NameOf(entry.State),
            Error = entry.State == ModelState.Failed ? entry.Obstacle()?.Error.Message : null,
            MaxModelLen = running?.Min(member => member.ContextTokens),
            VocabSize = members?[0].VocabularySize,
            Parameters = facts?.Parameters,
            Dtype = facts?.DType,
            Bytes = facts?.Bytes,
            SharedBytes = facts?.Bytes,
            Memory = running is null ? null : ModelMemory.Of(EnsembleModel.PlanOf([.. running], engine)),
            EmbeddingFingerprint = facts?.EmbeddingFingerprint,
            TokenizerFingerprint = members?[0].Tokenizer.Fingerprint,
            Experts = [.. entry.Definition.Experts.Select(expert => expert.Model)],
        };
    }

    private static long CreatedAt(string folder) =>
        new DateTimeOffset(File.GetLastWriteTimeUtc(Path.Combine(folder, "config.json"))).ToUnixTimeSeconds();

    /// <summary>The state's name on the wire.</summary>
    public static string NameOf(ModelState state) => state switch
    {
        ModelState.Ready => "ready",
        ModelState.Failed => "failed",
        ModelState.Unloaded => "unloaded",
        _ => "loading",
    };
}

using Microsoft.AspNetCore.Http.HttpResults;
using Serving.Server.Errors;
using Serving.Server.Models;

namespace Serving.Server.Ensembles;

/// <summary><c>/v1/ensembles</c>: the ensembles that have a name, listed and changed while the server runs.</summary>
internal static class EnsemblesEndpoints
{
    public static void MapEnsembles(this IEndpointRouteBuilder v1)
    {
        v1.MapGet("/ensembles", List).WithName("listEnsembles").WithTags("Ensembles")
            .WithSummary("Lists the named ensembles with their weights.");
        v1.MapPut("/ensembles/{name}", Define).WithName("defineEnsemble").WithTags("Ensembles")
            .WithSummary("Gives a name to an ensemble, or other members and weights to the name.")
            .WithDescription("Holds until the server stops; ensembles.json is not written. Answers in progress end with the weights that "
                + "they began with; every answer names its weights.")
            .Produces<EnsembleInfo>(StatusCodes.Status200OK).Produces<EnsembleInfo>(StatusCodes.Status201Created)
            .ProducesErrors(StatusCodes.Status400BadRequest, StatusCodes.Status404NotFound, StatusCodes.Status409Conflict,
                StatusCodes.Status503ServiceUnavailable);
        v1.MapDelete("/ensembles/{name}", Delete).WithName("deleteEnsemble").WithTags("Ensembles")
            .WithSummary("Takes a name back. Answers in progress end as they would have.")
            .ProducesErrors(StatusCodes.Status404NotFound);
    }

    private static Ok<EnsembleList> List(ModelCatalog catalog) =>
        TypedResults.Ok(new EnsembleList([.. catalog.Ensembles.Select(Describe)]));

    private static IResult Define(string name, EnsembleDefinition definition, ModelCatalog catalog, HttpContext http)
    {
        bool strict = http.Request.Headers["X-Strict"] is ["1"];
        EnsembleInfo defined = Describe(catalog.Define(RequestedEnsemble.ReadNamed(name, definition, strict)));
        return defined.Version == 1 ? TypedResults.Created($"/v1/models/{name}", defined) : TypedResults.Ok(defined);
    }

    private static Ok<EnsembleDeleted> Delete(string name, ModelCatalog catalog)
    {
        catalog.Remove(name);
        return TypedResults.Ok(new EnsembleDeleted(name, Deleted: true));
    }

    private static EnsembleInfo Describe(EnsembleEntry entry)
    {
        EnsembleWeights weights = EnsembleWeights.Of(entry.Definition);
        ModelState state = entry.State;
        return new EnsembleInfo
        {
            Name = entry.Id,
            Experts = weights.Experts,
            Combine = weights.Combine,
            Version = entry.Definition.Version,
            State = ModelsEndpoints.NameOf(state),
            Error = state == ModelState.Failed ? entry.Obstacle()?.Error.Message : null,
        };
    }
}

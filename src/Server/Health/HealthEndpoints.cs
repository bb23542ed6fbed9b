using Serving.Server.Hosting;
using Serving.Server.Json;
using Serving.Server.Models;

namespace Serving.Server.Health;

/// <summary>Probes: live = every engine's loop beats, ready = send traffic, startup = loading is over.</summary>
internal static class HealthEndpoints
{
    public static void MapHealth(this IEndpointRouteBuilder app)
    {
        RouteGroupBuilder health = app.MapGroup("/health").WithTags("Health");
        Map(health, "/live", "healthLive", "200 while every engine's loop gives signs of life.", Live);
        Map(health, "/ready", "healthReady", "200 when all models are loaded and the server is not shutting down.", Ready);
        Map(health, "/startup", "healthStartup", "200 once loading is over.", Started);
    }

    private static void Map(
        RouteGroupBuilder health, string path, string name, string summary, Func<ModelCatalog, Drain, (bool Ok, string Status)> probe) =>
        health.MapGet(path, (ModelCatalog catalog, Drain drain) => Answer(catalog, probe(catalog, drain)))
            .WithName(name).WithSummary(summary)
            .Produces<HealthReport>().Produces<HealthReport>(StatusCodes.Status503ServiceUnavailable);

    private static (bool Ok, string Status) Live(ModelCatalog catalog, Drain drain) =>
        catalog.Entries.All(entry => entry.Model?.IsAlive ?? true) ? (true, "live") : (false, "an engine's loop stands still");

    private static (bool Ok, string Status) Ready(ModelCatalog catalog, Drain drain)
    {
        if (drain.IsDraining)
            return (false, "shutting down");
        if (!catalog.IsReady)
            return (false, catalog.HasNone ? "no model" : "loading");
        (bool alive, string status) = Live(catalog, drain);
        return alive ? (true, "ready") : (false, status);
    }

    private static (bool Ok, string Status) Started(ModelCatalog catalog, Drain drain) =>
        catalog.IsReady ? (true, "started") : (false, "loading");

    private static IResult Answer(ModelCatalog catalog, (bool Ok, string Status) probe) => Results.Json(
        new HealthReport(probe.Status, catalog.Entries.ToDictionary(entry => entry.Id, ModelsEndpoints.StateOf)),
        ServerJson.Contracts.HealthReport,
        statusCode: probe.Ok ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable);
}

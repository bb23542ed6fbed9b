using Serving.Server.Access;
using Serving.Server.Ensembles;
using Serving.Server.Hosting;
using Serving.Server.Json;
using Serving.Server.Models;
using Serving.Server.OpenApi;

namespace Serving.Server.Health;

/// <summary>Probes: live = every engine's loop beats, ready = send traffic, startup = loading is over.</summary>
internal static class HealthEndpoints
{
    private delegate (bool Ok, string Status) Probe(ModelCatalog catalog, EnsembleEngines ensembles, Drain drain);

    public static void MapHealth(this IEndpointRouteBuilder app)
    {
        RouteGroupBuilder health = app.MapGroup("/health").WithTags("Health").AllowAnybody();
        Map(health, "/live", "healthLive", "200 while every engine's loop gives signs of life.", Live);
        Map(health, "/ready", "healthReady", "200 when all models are loaded and the server is not shutting down.", Ready);
        Map(health, "/startup", "healthStartup", "200 once loading is over.", Started);
    }

    private static void Map(
        RouteGroupBuilder health, string path, string name, string summary, Probe probe) =>
        health.MapGet(path, (ModelCatalog catalog, EnsembleEngines ensembles, Drain drain) => Answer(catalog, probe(catalog, ensembles, drain)))
            .WithName(name).WithSummary(summary)
            .WithExample(null, $$"""{"status": "{{path[1..]}}", "models": {"glyph-en": "ready"} }""")
            .Produces<HealthReport>().Produces<HealthReport>(StatusCodes.Status503ServiceUnavailable);

    private static (bool Ok, string Status) Live(ModelCatalog catalog, EnsembleEngines ensembles, Drain drain) =>
        catalog.Entries.All(entry => entry.Model?.IsAlive ?? true) && ensembles.AreAlive
            ? (true, "live") : (false, "an engine's loop stands still");

    private static (bool Ok, string Status) Ready(ModelCatalog catalog, EnsembleEngines ensembles, Drain drain)
    {
        if (drain.IsDraining)
            return (false, "shutting down");
        if (!catalog.IsReady)
            return (false, catalog.HasNone ? "no model" : "loading");
        (bool alive, string status) = Live(catalog, ensembles, drain);
        return alive ? (true, "ready") : (false, status);
    }

    private static (bool Ok, string Status) Started(ModelCatalog catalog, EnsembleEngines ensembles, Drain drain) =>
        catalog.IsReady ? (true, "started") : (false, "loading");

    private static IResult Answer(ModelCatalog catalog, (bool Ok, string Status) probe) => Results.Json(
        new HealthReport(probe.Status, catalog.Entries.ToDictionary(entry => entry.Id, entry => ModelsEndpoints.NameOf(entry.State))),
        ServerJson.Contracts.HealthReport,
        statusCode: probe.Ok ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable);
}

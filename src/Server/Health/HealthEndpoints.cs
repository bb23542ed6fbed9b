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
        health.MapGet("/startup", Startup)
            .WithName("healthStartup").WithSummary("200 once loading is over; how far it is before that.")
            .WithExample(null, """{"status": "loading", "models": {"glyph-en": "loading"}, "percent": 40, "phases": {"glyph-en": "pack"} }""")
            .Produces<HealthReport>().Produces<HealthReport>(StatusCodes.Status503ServiceUnavailable);
    }

    private static void Map(
        RouteGroupBuilder health, string path, string name, string summary, Probe probe) =>
        health.MapGet(path, (ModelCatalog catalog, EnsembleEngines ensembles, Drain drain) =>
            {
                (bool isOk, string status) = probe(catalog, ensembles, drain);
                return Answer(Report(catalog, status), isOk);
            })
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

    private static IResult Startup(ModelCatalog catalog) => Answer(
        Report(catalog, catalog.IsReady ? "started" : "loading") with
        {
            Percent = catalog.LoadPercent(),
            Phases = catalog.Entries.Where(entry => entry.State == ModelState.Loading)
                .ToDictionary(entry => entry.Id, entry => entry.Progress.Phase ?? "waiting"),
        },
        catalog.IsReady);

    private static HealthReport Report(ModelCatalog catalog, string status) =>
        new(status, catalog.Entries.ToDictionary(entry => entry.Id, entry => ModelsEndpoints.NameOf(entry.State)));

    private static IResult Answer(HealthReport report, bool isOk) => Results.Json(
        report, ServerJson.Contracts.HealthReport,
        statusCode: isOk ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable);
}

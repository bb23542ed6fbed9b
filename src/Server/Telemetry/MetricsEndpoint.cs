using Serving.Server.Access;

namespace Serving.Server.Telemetry;

/// <summary><c>GET /metrics</c>.</summary>
internal static class MetricsEndpoint
{
    public static void MapMetrics(this IEndpointRouteBuilder app) => app
        .MapGet("/metrics", (MetricCollector collector) => Results.Text(collector.Scrape(), PrometheusText.ContentType))
        .WithName("metrics").WithTags("Health").WithSummary("What the server measures, in Prometheus' text format.")
        .Produces<string>(StatusCodes.Status200OK, "text/plain")
        // For the scraper; it tells sizes and counts, and its labels are of closed sets.
        .AllowAnybody();
}

using System.Diagnostics;

namespace Serving.Server.Telemetry;

/// <summary>Measures every request; probes and scrapes leave no span.</summary>
internal sealed class TelemetryMiddleware(RequestDelegate next, GenerationMeter meter)
{
    public async Task InvokeAsync(HttpContext http)
    {
        if (IsProbe(http.Request.Path) && Activity.Current is { } span)
            (span.IsAllDataRequested, span.ActivityTraceFlags) = (false, span.ActivityTraceFlags & ~ActivityTraceFlags.Recorded);
        var telemetry = new RequestTelemetry(meter, http);
        http.Features.Set(telemetry);
        try
        {
            await next(http);
        }
        finally
        {
            telemetry.End();
        }
    }

    private static bool IsProbe(PathString path) => path.StartsWithSegments("/health") || path.StartsWithSegments("/metrics");
}

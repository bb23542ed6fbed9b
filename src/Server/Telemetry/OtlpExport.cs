using System.Diagnostics.Metrics;
using OpenTelemetry;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Serving.Server.Telemetry;

/// <summary>
/// Sends traces, metrics and logs to an OpenTelemetry collector. Off unless the standard variable
/// <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> names one; the other OTEL_ variables mean what they mean everywhere.
/// </summary>
internal sealed class OtlpExport : IHostedService, IDisposable
{
    private const string EndpointVariable = "OTEL_EXPORTER_OTLP_ENDPOINT";

    private TracerProvider? _traces;
    private MeterProvider? _metrics;

    /// <summary>Whether a collector is named.</summary>
    public static bool IsOn => !string.IsNullOrWhiteSpace(Environment.GetEnvironmentVariable(EndpointVariable));

    /// <summary>Adds the export, if a collector is named.</summary>
    public static void AddTo(WebApplicationBuilder builder)
    {
        if (!IsOn)
            return;
        builder.Services.AddHostedService<OtlpExport>();
        builder.Logging.AddOpenTelemetry(logs =>
        {
            logs.IncludeScopes = true;
            logs.IncludeFormattedMessage = true;
            logs.SetResourceBuilder(Resource());
            logs.AddOtlpExporter();
        });
        builder.Logging.AddFilter<OpenTelemetryLoggerProvider>("Microsoft", LogLevel.Warning);
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _traces = Sdk.CreateTracerProviderBuilder()
            .SetResourceBuilder(Resource())
            .AddSource("Microsoft.AspNetCore", ServingMeters.Spans)
            .AddOtlpExporter()
            .Build();
        _metrics = Sdk.CreateMeterProviderBuilder()
            .SetResourceBuilder(Resource())
            .AddMeter(ServingMeters.Requests, ServingMeters.Engines, "System.Runtime", "Microsoft.AspNetCore.*")
            .AddView(WithoutColon)
            .AddOtlpExporter()
            .Build();
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Sends what is left.</summary>
    public void Dispose()
    {
        _traces?.Dispose();
        _metrics?.Dispose();
    }

    private static ResourceBuilder Resource() => ResourceBuilder.CreateDefault()
        .AddService("serving", serviceVersion: typeof(OtlpExport).Assembly.GetName().Version?.ToString(3))
        .AddEnvironmentVariableDetector();

    // OpenTelemetry allows no colon in a name.
    private static MetricStreamConfiguration? WithoutColon(Instrument instrument) => instrument.Name.Contains(':', StringComparison.Ordinal)
        ? new MetricStreamConfiguration { Name = instrument.Name.Replace(':', '.') }
        : null;
}

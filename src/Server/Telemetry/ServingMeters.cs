namespace Serving.Server.Telemetry;

/// <summary>Names that whoever listens has to know.</summary>
internal static class ServingMeters
{
    /// <summary>What requests take, by OpenTelemetry's names, and this server's own figures.</summary>
    public const string Requests = "Serving";

    /// <summary>What inference gateways and autoscalers read, by the names that vLLM gave it.</summary>
    public const string Engines = "Serving.Engines";

    /// <summary>The source of the spans within a request.</summary>
    public const string Spans = "Serving";
}

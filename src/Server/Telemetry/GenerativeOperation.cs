namespace Serving.Server.Telemetry;

/// <summary>Marks an endpoint that generates, by OpenTelemetry's name of what it does.</summary>
/// <param name="Name"><c>text_completion</c>, <c>chat</c> or <c>embeddings</c>.</param>
internal sealed record GenerativeOperation(string Name);

namespace Serving.Server.Completions;

/// <summary>
/// Thrown after a stream's error event was sent: it makes the server close the connection without the end that a client would
/// take for success. The fault itself was told and logged before.
/// </summary>
internal sealed class BrokenStreamException(Exception fault) : Exception("The stream was broken off after its error event.", fault);

namespace Serving.Server.Completions;

/// <summary>The client was dropped because it did not read its stream.</summary>
internal sealed class ClientLeftException() : OperationCanceledException("The client did not read its stream and was dropped.");

namespace Serving.Server.Completions;

/// <summary>The engine gave a request up for a fault of its own.</summary>
internal sealed class GenerationFailedException(Exception? fault) : Exception("The engine failed to generate.", fault);

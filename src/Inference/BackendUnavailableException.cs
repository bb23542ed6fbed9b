namespace Serving.Inference;

/// <summary>A backend cannot compute anything now, whatever the batch: what it needs is not there.</summary>
/// <param name="message">What, and what to do.</param>
/// <param name="inner">Why.</param>
public class BackendUnavailableException(string message, Exception? inner = null) : Exception(message, inner);

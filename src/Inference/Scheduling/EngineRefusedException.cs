namespace Serving.Inference.Scheduling;

/// <summary>The engine does not take a request, or had to give one up because it stopped.</summary>
public sealed class EngineRefusedException : Exception
{
    internal EngineRefusedException(EngineRefusal reason, string message, int retryAfterSeconds, Exception? cause = null)
        : base(message, cause)
    {
        Reason = reason;
        RetryAfterSeconds = retryAfterSeconds;
    }

    /// <summary>Why.</summary>
    public EngineRefusal Reason { get; }

    /// <summary>When another attempt may succeed; 1 to 120.</summary>
    public int RetryAfterSeconds { get; }
}

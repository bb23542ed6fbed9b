namespace Serving.Inference.Scheduling;

/// <summary>Why the engine does not take a request.</summary>
public enum EngineRefusal
{
    /// <summary>As many requests or tokens wait as may; try again.</summary>
    QueueFull,

    /// <summary>The engine drains or is disposed; try another one.</summary>
    ShuttingDown,

    /// <summary>The engine's loop died of a defect; only a restart helps.</summary>
    Faulted,
}

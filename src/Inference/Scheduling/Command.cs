namespace Serving.Inference.Scheduling;

/// <summary>What callers tell the engine loop.</summary>
internal readonly record struct Command(CommandKind Kind, Generation? Generation = null);

/// <summary>The kinds of <see cref="Command"/>.</summary>
internal enum CommandKind
{
    /// <summary>Queue a generation.</summary>
    Accept,

    /// <summary>Its caller left.</summary>
    Abort,

    /// <summary>No more will come: say when all are finished.</summary>
    Drain,

    /// <summary>Look up from waiting.</summary>
    Wake,
}

using System.Runtime.InteropServices;

namespace Serving.Server.Hosting;

/// <summary>Ctrl-C, SIGTERM and SIGQUIT, caught from its making on: those that come before anybody asks are kept. Thread-safe.</summary>
internal sealed class StopSignals : IDisposable
{
    private readonly Lock _lock = new();
    private readonly List<PosixSignal> _early = [];
    private readonly PosixSignalRegistration[] _registrations;
    private Action<PosixSignal>? _handler;

    public StopSignals() => _registrations =
        [.. ((PosixSignal[])[PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGQUIT]).Select(signal => PosixSignalRegistration.Create(signal, OnSignal))];

    /// <summary>Hands every signal to a handler, first those that came before.</summary>
    public void HandTo(Action<PosixSignal> handler)
    {
        PosixSignal[] early;
        lock (_lock)
            (_handler, early) = (handler, [.. _early]);
        Array.ForEach(early, handler);
    }

    public void Dispose() => Array.ForEach(_registrations, registration => registration.Dispose());

    private void OnSignal(PosixSignalContext context)
    {
        context.Cancel = true;
        Action<PosixSignal>? handler;
        lock (_lock)
        {
            handler = _handler;
            if (handler is null)
                _early.Add(context.Signal);
        }
        handler?.Invoke(context.Signal);
    }
}

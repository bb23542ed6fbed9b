namespace Serving.Server.Hosting;

/// <summary>Counts the work in flight and closes the door when the server stops. Thread-safe.</summary>
internal sealed class Drain : IDisposable
{
    private readonly Lock _lock = new();
    private readonly TaskCompletionSource _idle = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _begun = new();
    private readonly CancellationTokenSource _forced = new();
    private int _inFlight;
    private volatile bool _draining;

    /// <summary>Whether new work is refused.</summary>
    public bool IsDraining => _draining;

    /// <summary>Work in flight.</summary>
    public int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>Cancelled when the door closes.</summary>
    public CancellationToken Begun => _begun.Token;

    /// <summary>Cancelled when work in flight must end now.</summary>
    public CancellationToken Forced => _forced.Token;

    /// <summary>Completes when the door is closed and nothing is in flight.</summary>
    public Task Idle => _idle.Task;

    /// <summary>Takes work in, unless the door is closed. Every success needs one <see cref="Leave"/>.</summary>
    public bool TryEnter()
    {
        lock (_lock)
        {
            if (_draining)
                return false;
            _inFlight++;
            return true;
        }
    }

    /// <summary>Ends a piece of work.</summary>
    public void Leave()
    {
        lock (_lock)
        {
            if (--_inFlight == 0 && _draining)
                _idle.TrySetResult();
        }
    }

    /// <summary>Closes the door.</summary>
    public void Begin()
    {
        lock (_lock)
        {
            _draining = true;
            if (_inFlight == 0)
                _idle.TrySetResult();
        }
        _begun.Cancel();
    }

    /// <summary>Closes the door and ends the work in flight.</summary>
    public void Force()
    {
        Begin();
        _forced.Cancel();
    }

    public void Dispose()
    {
        _begun.Dispose();
        _forced.Dispose();
    }
}

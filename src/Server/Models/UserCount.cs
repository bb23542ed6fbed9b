namespace Serving.Server.Models;

/// <summary>How many requests use an engine, and when the last one that may is gone. Thread-safe.</summary>
internal sealed class UserCount : IDisposable
{
    private readonly Lock _lock = new();
    private readonly TaskCompletionSource _left = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _closing = new();
    private int _users;
    private bool _closed;

    public bool IsIdle
    {
        get
        {
            lock (_lock)
                return _users == 0;
        }
    }

    /// <summary>Cancelled when nobody is let in any more: who stays for long should leave soon.</summary>
    public CancellationToken Closing => _closing.Token;

    /// <summary>Counts a user in, unless it is closed. Every success needs one <see cref="Leave"/>.</summary>
    public bool TryEnter()
    {
        lock (_lock)
        {
            if (!_closed)
                _users++;
            return !_closed;
        }
    }

    public void Leave()
    {
        lock (_lock)
        {
            if (--_users == 0 && _closed)
                _left.TrySetResult();
        }
    }

    /// <summary>Lets nobody in any more and waits for the last one to leave.</summary>
    public Task CloseAsync()
    {
        lock (_lock)
        {
            _closed = true;
            if (_users == 0)
                _left.TrySetResult();
        }
        _closing.Cancel();
        return _left.Task;
    }

    public void Dispose() => _closing.Dispose();
}

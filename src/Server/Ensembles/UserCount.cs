namespace Serving.Server.Ensembles;

/// <summary>How many requests use an engine. Thread-safe.</summary>
internal sealed class UserCount
{
    private int _users;

    public bool IsIdle => Volatile.Read(ref _users) == 0;

    public void Enter() => Interlocked.Increment(ref _users);

    public void Leave() => Interlocked.Decrement(ref _users);
}

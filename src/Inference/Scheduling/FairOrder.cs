namespace Serving.Inference.Scheduling;

/// <summary>
/// Where newcomers stand in the queue: callers take turns by the tokens that they ask for, so that one who sends much waits for
/// himself and not others for him. One caller alone is served in the order of arrival.
/// </summary>
/// <remarks>Start-time fair queueing (Goyal, Vin, Cheng 1996): virtual time is the turn of the last admitted sequence. Owned by
/// one thread.</remarks>
internal sealed class FairOrder
{
    private const int MostIdleScopes = 1024;

    private readonly Dictionary<long, long> _next = []; // the turn of each scope's next sequence
    private long _now;

    /// <summary>The turn of a new sequence; lower turns go first.</summary>
    public long Enter(long scope, long tokens)
    {
        long turn = Math.Max(_now, _next.GetValueOrDefault(scope));
        _next[scope] = turn + tokens;
        return turn;
    }

    /// <summary>A sequence left the queue to run.</summary>
    public void Admit(long turn)
    {
        _now = Math.Max(_now, turn);
        if (_next.Count <= MostIdleScopes) return;
        foreach ((long scope, long next) in _next)
            if (next <= _now) _next.Remove(scope);
    }
}

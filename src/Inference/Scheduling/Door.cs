namespace Serving.Inference.Scheduling;

/// <summary>Admission: counts what waits, in the queue and on its way there, and refuses what is too much.</summary>
/// <remarks>Thread-safe: callers enter, the engine loop reports.</remarks>
internal sealed class Door(int maxRequests, long maxTokens)
{
    private readonly Lock _gate = new();
    private int _requestsInTransit;
    private long _tokensInTransit;
    private EngineStatistics _statistics;
    private EngineRefusedException? _closed;

    /// <summary>The loop's last snapshot, with the requests that it has not seen yet.</summary>
    public EngineStatistics Statistics
    {
        get
        {
            lock (_gate)
                return _statistics with
                {
                    WaitingRequests = _statistics.WaitingRequests + _requestsInTransit,
                    WaitingTokens = _statistics.WaitingTokens + _tokensInTransit,
                };
        }
    }

    /// <summary>Checks whether a request could come in, however small it is.</summary>
    /// <exception cref="EngineRefusedException">The door is closed, or too many wait.</exception>
    public void ThrowIfFull()
    {
        lock (_gate)
            Check();
    }

    /// <summary>Lets a request in; <paramref name="pass"/> hands it on and must not block.</summary>
    /// <exception cref="EngineRefusedException">The door is closed, or too much waits.</exception>
    public void Enter(int tokens, Action pass)
    {
        lock (_gate)
        {
            (int requests, long waiting) = Check();
            if (requests > 0 && waiting + tokens > maxTokens)
                throw Full($"{waiting} tokens wait of at most {maxTokens}, and {tokens} more came", waiting);
            _requestsInTransit++;
            _tokensInTransit += tokens;
            pass();
        }
    }

    /// <summary>The loop received a request and published a snapshot that counts it.</summary>
    public void Publish(in EngineStatistics statistics, int receivedRequests, long receivedTokens)
    {
        lock (_gate)
        {
            _statistics = statistics;
            _requestsInTransit -= receivedRequests;
            _tokensInTransit -= receivedTokens;
        }
    }

    /// <summary>Refuses everything from now on. The first reason stays, but a fault replaces a mere shutdown.</summary>
    public void Close(EngineRefusedException refusal)
    {
        lock (_gate)
            if (_closed is null || refusal.Reason == EngineRefusal.Faulted) _closed = refusal;
    }

    // What waits, when there is room for one more.
    private (int Requests, long Tokens) Check()
    {
        if (_closed is { } closed)
            throw new EngineRefusedException(closed.Reason, closed.Message, closed.RetryAfterSeconds, closed);
        int requests = _statistics.WaitingRequests + _requestsInTransit;
        long tokens = _statistics.WaitingTokens + _tokensInTransit;
        return requests < maxRequests ? (requests, tokens) : throw Full($"{requests} requests wait of at most {maxRequests}", tokens);
    }

    private EngineRefusedException Full(string what, long waitingTokens)
    {
        double seconds = _statistics.TokensPerSecond > 0 ? waitingTokens / _statistics.TokensPerSecond : 1;
        int retry = (int)Math.Clamp(Math.Ceiling(seconds), 1, 120);
        return new EngineRefusedException(EngineRefusal.QueueFull, $"The queue is full: {what}. Try again in {retry} s.", retry);
    }
}

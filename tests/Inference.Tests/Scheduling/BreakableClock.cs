namespace Serving.Inference.Tests.Scheduling;

/// <summary>The system's clock, until it is told to fail.</summary>
internal sealed class BreakableClock : TimeProvider
{
    private volatile bool _breaksOnce;
    private volatile bool _isBroken;

    public bool BreaksOnce
    {
        set => _breaksOnce = value;
    }

    /// <summary>From now on it always fails.</summary>
    public bool IsBroken
    {
        set => _isBroken = value;
    }

    public override long GetTimestamp()
    {
        if (_isBroken) throw new TimeoutException("the clock is broken");
        if (!_breaksOnce) return base.GetTimestamp();
        _breaksOnce = false;
        throw new TimeoutException("the clock stands still");
    }
}

namespace Serving.Inference.Tests.Scheduling;

/// <summary>The system's clock, until it is told to fail.</summary>
internal sealed class BreakableClock : TimeProvider
{
    private volatile bool _breaksOnce;

    public bool BreaksOnce
    {
        set => _breaksOnce = value;
    }

    public override long GetTimestamp()
    {
        if (!_breaksOnce) return base.GetTimestamp();
        _breaksOnce = false;
        throw new TimeoutException("the clock stands still");
    }
}

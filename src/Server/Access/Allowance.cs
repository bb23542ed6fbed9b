namespace Serving.Server.Access;

/// <summary>So much a minute: a bucket that fills evenly and holds one minute's worth. Thread-safe.</summary>
internal sealed class Allowance(int perMinute, TimeProvider time)
{
    private readonly Lock _lock = new();
    private double _left = perMinute;
    private long _at = time.GetTimestamp();

    /// <summary>How much a minute.</summary>
    public int PerMinute => perMinute;

    /// <summary>How much is left, and when the bucket is full again.</summary>
    public (long Remaining, TimeSpan Reset) State
    {
        get
        {
            lock (_lock)
            {
                Fill();
                return ((long)Math.Max(0, _left), TimeSpan.FromSeconds(SecondsUntil(perMinute)));
            }
        }
    }

    /// <summary>Takes what is asked for; a request for more than a minute's worth takes all of a full bucket.</summary>
    /// <param name="amount">How much.</param>
    /// <param name="taken">What was taken.</param>
    /// <param name="retrySeconds">When there is not enough: after how many seconds there will be.</param>
    public bool TryTake(long amount, out long taken, out int retrySeconds)
    {
        lock (_lock)
        {
            Fill();
            taken = Math.Min(amount, perMinute);
            retrySeconds = (int)Math.Clamp(Math.Ceiling(SecondsUntil(taken)), 1, 120);
            if (_left < taken)
                return false;
            _left -= taken;
            return true;
        }
    }

    /// <summary>Gives back what was not used; what was used beyond is owed.</summary>
    public void GiveBack(long amount)
    {
        lock (_lock)
            _left = Math.Min(perMinute, _left + amount);
    }

    private double SecondsUntil(double amount) => Math.Max(0, amount - _left) * 60 / perMinute;

    private void Fill()
    {
        long now = time.GetTimestamp();
        _left = Math.Min(perMinute, _left + (time.GetElapsedTime(_at, now).TotalSeconds * perMinute / 60));
        _at = now;
    }
}

namespace Serving.Inference.Cpu;

/// <summary>
/// Regions each of which needs the one before, such as the steps of a forward pass. Nobody waits at the end of a region: whoever did
/// its last item makes the next one, and does it at once where it is too small to share.
/// </summary>
/// <param name="next">The next region, <see cref="Region.None"/> after the last. Called by one worker at a time.</param>
internal sealed class RegionChain(Func<Region> next)
{
    private Region _region;
    private bool _isShared;
    private int _left;
    private int _done;

    /// <summary>Regions shared so far: how far the chain has come.</summary>
    public int Stage { get; private set; }

    /// <summary>Whether the open region has items that nobody took.</summary>
    public bool HasItems => Volatile.Read(ref _left) > 0;

    /// <summary>The first exception of the chain, which ended it; null = none.</summary>
    public Exception? Fault { get; private set; }

    /// <summary>Goes to the first region.</summary>
    /// <param name="worker">Who does that.</param>
    /// <param name="isShared">Whether there are others.</param>
    /// <returns>Whether the chain is at its end already.</returns>
    public bool Start(int worker, bool isShared)
    {
        (_isShared, Stage, Fault) = (isShared, 0, null);
        return GoOn(worker);
    }

    /// <summary>Does an item, if there is one left.</summary>
    /// <param name="worker">Who does it.</param>
    /// <returns>Whether the chain is at its end by that.</returns>
    public bool Work(int worker)
    {
        // An item once taken keeps its region open, so that _region cannot change under it.
        int left = Interlocked.Decrement(ref _left);
        if (left < 0)
            return false;
        int items = _region.Items;
        try
        {
            _region.Body!(items - 1 - left, worker);
        }
        catch (Exception fault)
        {
            Note(fault);
        }
        return Interlocked.Increment(ref _done) == items && GoOn(worker);
    }

    // To the next region that is worth sharing, or to the end.
    private bool GoOn(int worker)
    {
        while (Fault is null)
        {
            try
            {
                Region region = next();
                if (region.Body is null)
                    return true;
                if (_isShared && !region.IsSmall && region.Items > 1)
                {
                    Open(region);
                    return false;
                }
                for (int item = 0; item < region.Items; item++)
                    region.Body(item, worker);
            }
            catch (Exception fault)
            {
                Note(fault);
            }
        }
        return true;
    }

    private void Open(Region region)
    {
        (_region, _done) = (region, 0);
        Stage++;
        Interlocked.Exchange(ref _left, region.Items);
    }

    private void Note(Exception fault)
    {
        lock (next)
            Fault ??= fault;
    }
}

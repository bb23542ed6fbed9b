namespace Serving.Server.Telemetry;

/// <summary>The measurements of one instrument with one set of labels. Thread-safe; never allocates.</summary>
/// <param name="labels">The labels, in the order of their measurement.</param>
/// <param name="bounds">Upper bounds of a histogram's buckets, rising; empty for anything else.</param>
internal sealed class MetricSeries(KeyValuePair<string, object?>[] labels, double[] bounds)
{
    private readonly long[] _buckets = new long[bounds.Length + 1];
    private double _value;

    public ReadOnlySpan<KeyValuePair<string, object?>> Labels => labels;

    /// <summary>The last value of a gauge, the sum of anything else.</summary>
    public double Value => Volatile.Read(ref _value);

    /// <summary>The scrape that an observed value belongs to: one that is not observed any more is not told.</summary>
    public long Scrape { get; private set; }

    /// <summary>Whether the labels are these, in this order.</summary>
    public bool Has(ReadOnlySpan<KeyValuePair<string, object?>> others)
    {
        if (others.Length != labels.Length)
            return false;
        for (int i = 0; i < labels.Length; i++)
        {
            if (labels[i].Key != others[i].Key || !Equals(labels[i].Value, others[i].Value))
                return false;
        }
        return true;
    }

    /// <summary>Adds to a counter.</summary>
    public void Add(double change)
    {
        double seen = Volatile.Read(ref _value);
        for (double before; (before = Interlocked.CompareExchange(ref _value, seen + change, seen)) != seen; seen = before)
        {
        }
    }

    /// <summary>Replaces the value.</summary>
    public void Set(double value, long scrape = 0)
    {
        Volatile.Write(ref _value, value);
        Scrape = scrape;
    }

    /// <summary>Counts a measurement of a histogram.</summary>
    public void Count(double value)
    {
        int bucket = 0;
        while (bucket < bounds.Length && value > bounds[bucket])
            bucket++;
        Add(value);
        Interlocked.Increment(ref _buckets[bucket]);
    }

    /// <summary>How many measurements each bucket holds, beginning with the lowest; the last one has no bound.</summary>
    public long[] ReadBuckets()
    {
        long[] counts = new long[_buckets.Length];
        for (int i = 0; i < counts.Length; i++)
            counts[i] = Interlocked.Read(ref _buckets[i]);
        return counts;
    }
}

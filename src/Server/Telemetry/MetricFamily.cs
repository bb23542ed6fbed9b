using System.Diagnostics.Metrics;

namespace Serving.Server.Telemetry;

/// <summary>All series of one instrument. Thread-safe; a measurement with known labels takes no lock and allocates nothing.</summary>
internal sealed class MetricFamily
{
    /// <summary>More sets of labels than this are counted together in one series without labels: whatever a label holds, the
    /// text stays short.</summary>
    public const int MaxSeries = 512;

    // The runtime declares these as counters, but they fall.
    private static readonly HashSet<string> FallingCounters = ["dotnet.thread_pool.queue.length", "dotnet.thread_pool.thread.count"];

    private static readonly double[] UsualBounds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

    private readonly Lock _lock = new();
    private volatile MetricSeries[] _series = [];

    public MetricFamily(Instrument instrument)
    {
        Kind = KindOf(instrument);
        IsObserved = instrument.IsObservable;
        Bounds = Kind == MetricKind.Histogram ? BoundsOf(instrument) : [];
        Name = PrometheusNames.Of(instrument, Kind);
        Help = instrument.Description ?? "";
    }

    /// <summary>As in the text of /metrics.</summary>
    public string Name { get; }

    public string Help { get; }

    public MetricKind Kind { get; }

    /// <summary>Whether values are asked for at each scrape, not told as they happen.</summary>
    public bool IsObserved { get; }

    /// <summary>Upper bounds of a histogram's buckets, without the last.</summary>
    public double[] Bounds { get; }

    /// <summary>The series so far.</summary>
    public IReadOnlyList<MetricSeries> Series => _series;

    /// <summary>Takes a measurement.</summary>
    /// <param name="value">In the instrument's unit.</param>
    /// <param name="labels">Copied on their first appearance.</param>
    /// <param name="scrape">The scrape in progress.</param>
    public void Record(double value, ReadOnlySpan<KeyValuePair<string, object?>> labels, long scrape)
    {
        MetricSeries series = Find(labels) ?? Add(labels);
        if (Kind == MetricKind.Histogram)
            series.Count(value);
        else if (IsObserved || Kind == MetricKind.Gauge)
            series.Set(value, scrape);
        else
            series.Add(value);
    }

    private MetricSeries? Find(ReadOnlySpan<KeyValuePair<string, object?>> labels)
    {
        foreach (MetricSeries series in _series)
        {
            if (series.Has(labels))
                return series;
        }
        return null;
    }

    private MetricSeries Add(ReadOnlySpan<KeyValuePair<string, object?>> labels)
    {
        lock (_lock)
        {
            if (_series.Length >= MaxSeries)
                labels = [];
            if (Find(labels) is { } known)
                return known;
            var added = new MetricSeries(labels.ToArray(), Bounds);
            _series = [.. _series, added];
            return added;
        }
    }

    private static MetricKind KindOf(Instrument instrument)
    {
        string type = instrument.GetType().Name;
        return FallingCounters.Contains(instrument.Name) ? MetricKind.Sum
            : type.StartsWith("Histogram", StringComparison.Ordinal) ? MetricKind.Histogram
            : type.StartsWith("Counter", StringComparison.Ordinal) || type.StartsWith("ObservableCounter", StringComparison.Ordinal) ? MetricKind.Counter
            : type.StartsWith("Gauge", StringComparison.Ordinal) || type.StartsWith("ObservableGauge", StringComparison.Ordinal) ? MetricKind.Gauge
            : MetricKind.Sum;
    }

    private static double[] BoundsOf(Instrument instrument)
    {
        IEnumerable<double>? advised = instrument switch
        {
            Histogram<double> { Advice.HistogramBucketBoundaries: { } bounds } => bounds,
            Histogram<long> { Advice.HistogramBucketBoundaries: { } bounds } => bounds.Select(bound => (double)bound),
            _ => null,
        };
        return [.. advised ?? UsualBounds];
    }
}

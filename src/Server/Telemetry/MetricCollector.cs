using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Serving.Server.Telemetry;

/// <summary>Listens to the meters of this server, of ASP.NET Core and of the runtime, and keeps what /metrics tells. Thread-safe.</summary>
internal sealed class MetricCollector : IDisposable
{
    private static readonly HashSet<string> Meters =
    [
        ServingMeters.Requests, ServingMeters.Engines, "System.Runtime", "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel",
        "Microsoft.AspNetCore.Routing", "Microsoft.AspNetCore.Diagnostics", "Microsoft.AspNetCore.MemoryPool",
    ];

    private readonly MeterListener _listener = new();
    private readonly ConcurrentDictionary<string, MetricFamily> _families = new(StringComparer.Ordinal);
    private readonly Lock _scraping = new();
    private readonly IMeterFactory _meters;
    private long _scrapes;

    /// <param name="meters">Makes this server's meters; those of other servers in the process are not listened to.</param>
    public MetricCollector(IMeterFactory meters)
    {
        _meters = meters;
        _listener.InstrumentPublished = Enable;
        _listener.SetMeasurementEventCallback<int>((_, value, labels, family) => Record(family, value, labels));
        _listener.SetMeasurementEventCallback<long>((_, value, labels, family) => Record(family, value, labels));
        _listener.SetMeasurementEventCallback<float>((_, value, labels, family) => Record(family, value, labels));
        _listener.SetMeasurementEventCallback<double>((_, value, labels, family) => Record(family, value, labels));
        _listener.Start();
    }

    /// <summary>Everything measured so far, in Prometheus' text format.</summary>
    public string Scrape()
    {
        lock (_scraping)
        {
            _scrapes++;
            _listener.RecordObservableInstruments();
            return PrometheusText.Write(_families.Values.OrderBy(family => family.Name, StringComparer.Ordinal), _scrapes);
        }
    }

    public void Dispose() => _listener.Dispose();

    private void Enable(Instrument instrument, MeterListener listener)
    {
        bool isOurs = instrument.Meter.Scope is null || instrument.Meter.Scope == _meters;
        if (!isOurs || !Meters.Contains(instrument.Meter.Name))
            return;
        var family = new MetricFamily(instrument);
        listener.EnableMeasurementEvents(instrument, _families.GetOrAdd(family.Name, family));
    }

    private void Record(object? family, double value, ReadOnlySpan<KeyValuePair<string, object?>> labels) =>
        ((MetricFamily)family!).Record(value, labels, Volatile.Read(ref _scrapes));
}

using System.Diagnostics.Metrics;
using Serving.Server.Telemetry;

namespace Serving.Server.Peers;

/// <summary>What remote models cost and how their replicas are. Thread-safe.</summary>
internal sealed class PeerMeter
{
    private readonly Counter<long> _attempts;
    private readonly Counter<long> _replayed;
    private readonly Counter<long> _sent;
    private readonly Counter<long> _received;
    private readonly Histogram<double> _step;
    private readonly List<PeerGroup> _groups = [];

    public PeerMeter(IMeterFactory meters)
    {
        Meter own = meters.Create(ServingMeters.Requests);
        _attempts = own.CreateCounter<long>("serving.peer.attempts", null, "Attempts to have a step computed by a replica, by outcome.");
        _replayed = own.CreateCounter<long>("serving.peer.replayed_tokens", null, "Tokens computed once more because a replica did not hold them.");
        _sent = own.CreateCounter<long>("serving.peer.sent", "By", "Sent to replicas.");
        _received = own.CreateCounter<long>("serving.peer.received", "By", "Received from replicas.");
        _step = own.CreateHistogram("serving.peer.step.duration", "s", "Of a step of a remote model, with all attempts.", null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] });
        own.CreateObservableGauge("serving.peer.replicas", ReplicasByState, null, "Replicas of a remote model by the state of their circuit.");
    }

    public void Add(PeerGroup group)
    {
        lock (_groups)
            _groups.Add(group);
    }

    public void Attempted(string model, string outcome) => _attempts.Add(1, Name(model), new("outcome", outcome));

    public void Stepped(string model, double seconds) => _step.Record(seconds, Name(model));

    public void Moved(string model, long sent, long received, long replayedTokens)
    {
        _sent.Add(sent, Name(model));
        _received.Add(received, Name(model));
        _replayed.Add(replayedTokens, Name(model));
    }

    private IEnumerable<Measurement<int>> ReplicasByState()
    {
        PeerGroup[] groups;
        lock (_groups)
            groups = [.. _groups];
        return groups.SelectMany(group => (string[])["closed", "half_open", "open"], (group, state) => new Measurement<int>(
            group.Replicas.Count(replica => replica.State == state), Name(group.Model), new("state", state)));
    }

    private static KeyValuePair<string, object?> Name(string model) => new("model_name", model);
}

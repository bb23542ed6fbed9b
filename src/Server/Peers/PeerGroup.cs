using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Serving.Server.Hosting;

namespace Serving.Server.Peers;

/// <summary>All replicas of a remote model: those its addresses name, looked up again from time to time, as a headless Service wants.
/// Thread-safe.</summary>
internal sealed class PeerGroup(string model, IReadOnlyList<Uri> addresses, RemoteOptions options, HttpClient client, PeerMeter meter)
{
    private static readonly TimeSpan LookupAge = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<Uri, PeerReplica> _known = new();
    private volatile PeerReplica[] _replicas = [];
    private long? _lookedUp;

    public string Model => model;

    public RemoteOptions Options => options;

    public PeerMeter Meter => meter;

    public LogitEncoding Encoding { get; } = LogitEncoding.Parse(options.Logits)!.Value;

    /// <summary>The replicas of the last look-up.</summary>
    public IReadOnlyList<PeerReplica> Replicas => _replicas;

    /// <summary>Opens a stream to a replica.</summary>
    /// <exception cref="PeerException">It cannot be used.</exception>
    public Task<PeerStream> OpenAsync(PeerReplica replica, CancellationToken cancellation) =>
        PeerStream.OpenAsync(client, replica.Address, Encoding, cancellation);

    /// <summary>The replicas there are now; those that were known keep their circuits.</summary>
    /// <exception cref="PeerException">No name can be resolved.</exception>
    public async Task<IReadOnlyList<PeerReplica>> FindAsync(CancellationToken cancellation)
    {
        if (_lookedUp is { } last && TimeProvider.System.GetElapsedTime(last) < LookupAge && _replicas.Length > 0)
            return _replicas;
        _lookedUp = TimeProvider.System.GetTimestamp();
        var found = new List<Uri>();
        Exception? fault = null;
        foreach (Uri address in addresses)
        {
            try
            {
                foreach (IPAddress ip in await Dns.GetHostAddressesAsync(address.IdnHost, cancellation))
                    found.Add(new UriBuilder(address) { Host = ip.ToString(), Path = PeerListener.Path + Uri.EscapeDataString(model) }.Uri);
            }
            catch (SocketException unknown)
            {
                fault = unknown;
            }
        }
        // A name server that is away for a while takes no replica away.
        if (found.Count > 0)
            _replicas = [.. found.Distinct().Select(uri => _known.GetOrAdd(uri, each => new PeerReplica(each, options)))];
        return _replicas.Length > 0 ? _replicas : throw new PeerException($"No address of the peers of '{model}' can be found: {fault?.Message}", fault);
    }
}

using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Options;
using Serving.Server.Hosting;

namespace Serving.Server.Peers;

/// <summary>The models that other servers compute, by the setting <c>Serving:Remote:Models</c>. Thread-safe.</summary>
internal sealed class RemoteModels : IDisposable
{
    private const StringSplitOptions Trimmed = StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries;
    private const int WindowBytes = 16 << 20;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    private readonly Dictionary<string, PeerGroup> _groups = new(StringComparer.Ordinal);
    private readonly HttpClient _client;
    private readonly IHostApplicationLifetime _host;
    private readonly ILogger<RemoteModels> _logger;

    public RemoteModels(IOptions<ServingOptions> options, PeerMeter meter, IHostApplicationLifetime host, ILogger<RemoteModels> logger)
    {
        (_host, _logger) = (host, logger);
        _client = new HttpClient(new SocketsHttpHandler
        {
            ConnectTimeout = Patience,
            EnableMultipleHttp2Connections = true,
            InitialHttp2StreamWindowSize = WindowBytes,
            KeepAlivePingDelay = TimeSpan.FromSeconds(5),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(5),
            UseProxy = false,
        })
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
        RemoteOptions remote = options.Value.Remote;
        foreach ((string model, IReadOnlyList<Uri> addresses) in Parse(remote.Models ?? ""))
            meter.Add(_groups[model] = new PeerGroup(model, addresses, remote, _client, meter));
    }

    /// <summary>Everything that is wrong with the settings of remote models.</summary>
    public static IEnumerable<string> Problems(RemoteOptions options)
    {
        if (LogitEncoding.Parse(options.Logits) is null)
            yield return $"Serving:Remote:Logits must be f32, f16 or top-N; '{options.Logits}' was given.";
        string? problem = null;
        try
        {
            Parse(options.Models ?? "");
        }
        catch (FormatException fault)
        {
            problem = fault.Message;
        }
        if (problem is not null)
            yield return problem;
    }

    /// <summary>Whether other servers compute this model.</summary>
    public bool TryFind(string model, [NotNullWhen(true)] out PeerGroup? group) => _groups.TryGetValue(model, out group);

    /// <summary>Waits until a replica greets, for as long as this server runs.</summary>
    /// <exception cref="OperationCanceledException">The server stops.</exception>
    public PeerGreeting AwaitGreeting(PeerGroup group)
    {
        CancellationToken stopping = _host.ApplicationStopping;
        for (bool isFirst = true; ; isFirst = false)
        {
            try
            {
                return GreetAsync(group, stopping).GetAwaiter().GetResult();
            }
            catch (PeerException fault)
            {
                if (isFirst)
                    _logger.LogWarning("The remote model {Model} is waited for: {Reason}", group.Model, fault.Message);
                stopping.WaitHandle.WaitOne(Pause);
                stopping.ThrowIfCancellationRequested();
            }
        }
    }

    public void Dispose() => _client.Dispose();

    private static async Task<PeerGreeting> GreetAsync(PeerGroup group, CancellationToken stopping)
    {
        PeerException? last = null;
        foreach (PeerReplica replica in await group.FindAsync(stopping))
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(stopping);
            patience.CancelAfter(Patience);
            try
            {
                using PeerStream stream = await group.OpenAsync(replica, patience.Token);
                return stream.Greeting;
            }
            catch (PeerException fault)
            {
                last = fault;
            }
            catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
            {
                last = new PeerException($"The peer {replica.Address} did not answer within {Patience.TotalSeconds:0} s.");
            }
        }
        throw last!;
    }

    private static Dictionary<string, IReadOnlyList<Uri>> Parse(string setting)
    {
        var models = new Dictionary<string, IReadOnlyList<Uri>>(StringComparer.Ordinal);
        foreach (string entry in setting.Split(',', Trimmed))
        {
            string[] parts = entry.Split('=', 2, Trimmed);
            string[] addresses = parts.Length == 2 ? parts[1].Split('|', Trimmed) : [];
            Uri[] uris = [.. addresses.Select(text => Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) && uri.Scheme == Uri.UriSchemeHttp ? uri : null)
                .OfType<Uri>()];
            if (uris.Length == 0 || uris.Length < addresses.Length || !models.TryAdd(parts[0], uris))
            {
                throw new FormatException("Serving:Remote:Models must be as 'glyph-en=http://host:8081,glyph-ru=http://a:8081|http://b:8081', "
                    + $"each model once; '{entry}' was given.");
            }
        }
        return models;
    }
}

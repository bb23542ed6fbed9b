using System.ComponentModel.DataAnnotations;

namespace Serving.Server.Hosting;

/// <summary>The section <c>Serving:Peers</c>: what other servers may use of this one.</summary>
internal sealed class PeerOptions
{
    /// <summary>Addresses for peers, separated by ';', as <c>http://*:8081</c>: HTTP/2 without TLS or keys, so for a closed network.
    /// Null = none.</summary>
    public string? Urls { get; set; }

    /// <summary>Streams at once, each with K/V memory of its own. 1 to 1024; default 16.</summary>
    [Range(1, 1024)]
    public int MaxStreams { get; set; } = 16;
}

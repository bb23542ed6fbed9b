using System.Net;
using System.Net.Sockets;

namespace Serving.Testing;

/// <summary>Addresses for servers that must be known before they listen, or listen twice at one place.</summary>
internal static class FreeAddress
{
    // Linux hands out ports from 32768 on: below, nobody who asks for any port comes in between.
    private const int First = 20_000;
    private const int Count = 12_000;

    // Runs side by side begin at different places.
    private static int _next = Random.Shared.Next(Count);

    /// <summary>An address of this machine on which nobody listens.</summary>
    public static Uri Next()
    {
        while (true)
        {
            int port = First + (Interlocked.Increment(ref _next) % Count);
            using var probe = new TcpListener(IPAddress.Loopback, port);
            try
            {
                probe.Start();
                return new Uri($"http://127.0.0.1:{port}");
            }
            catch (SocketException)
            {
                // Taken: the next one.
            }
        }
    }
}

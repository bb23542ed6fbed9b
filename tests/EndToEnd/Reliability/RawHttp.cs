using System.Net.Sockets;
using System.Text;

namespace Serving.EndToEnd.Reliability;

/// <summary>Requests that no client would send.</summary>
internal static class RawHttp
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(1);

    /// <summary>Sends bytes over a connection of their own and reads until the server closes it, or has said what it had to say.</summary>
    public static async Task<string> SendAsync(Uri address, byte[] request)
    {
        using var socket = new TcpClient { NoDelay = true };
        await socket.ConnectAsync(address.Host, address.Port);
        NetworkStream stream = socket.GetStream();
        var answer = new MemoryStream();
        byte[] buffer = new byte[4096];
        try
        {
            await stream.WriteAsync(request);
            for (int read = 1; read > 0;)
            {
                using var silence = new CancellationTokenSource(answer.Length == 0 ? Patience : Silence);
                read = await stream.ReadAsync(buffer, silence.Token);
                answer.Write(buffer, 0, read);
            }
        }
        catch (Exception end) when (end is IOException or OperationCanceledException)
        {
            // Closed before everything was sent, or left open for the next request; what was said counts.
        }
        return Encoding.Latin1.GetString(answer.ToArray());
    }
}

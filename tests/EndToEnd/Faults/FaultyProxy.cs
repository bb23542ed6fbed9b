using System.Net;
using System.Net.Sockets;

namespace Serving.EndToEnd.Faults;

/// <summary>A wire between two servers that breaks and stalls at random, by a seed.</summary>
internal sealed class FaultyProxy : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _over = new();
    private readonly Random _random;
    private readonly int _target;

    public FaultyProxy(int target, int seed)
    {
        (_target, _random) = (target, new Random(seed));
        _listener.Start();
        _ = AcceptAsync();
    }

    /// <summary>The chance that a piece of an answer breaks the connection.</summary>
    public double Breaks { get; set; }

    /// <summary>The chance that a piece of an answer comes two seconds late.</summary>
    public double Stalls { get; set; }

    /// <summary>Whether nothing comes through any more, without a word.</summary>
    public bool IsBlack { get; set; }

    public string Address => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    public void Dispose()
    {
        _over.Cancel();
        _listener.Dispose();
        _over.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
                _ = CarryAsync(await _listener.AcceptTcpClientAsync(_over.Token));
        }
        catch (Exception end) when (end is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task CarryAsync(TcpClient front)
    {
        using TcpClient peer = new();
        using (front)
        {
            try
            {
                await peer.ConnectAsync(IPAddress.Loopback, _target);
                (front.NoDelay, peer.NoDelay) = (true, true);
                await Task.WhenAny(CopyAsync(front.GetStream(), peer.GetStream(), isAnswer: false), CopyAsync(peer.GetStream(), front.GetStream(), isAnswer: true));
            }
            catch (SocketException)
            {
                // The peer is gone, so the front learns it, too.
            }
        }
    }

    private async Task CopyAsync(NetworkStream from, NetworkStream to, bool isAnswer)
    {
        byte[] buffer = new byte[65536];
        try
        {
            for (int read; (read = await from.ReadAsync(buffer, _over.Token)) > 0;)
            {
                double chance = Draw();
                if (isAnswer && chance < Breaks)
                    return;
                if (isAnswer && chance < Breaks + Stalls)
                    await Task.Delay(TimeSpan.FromSeconds(2), _over.Token);
                if (!IsBlack)
                    await to.WriteAsync(buffer.AsMemory(0, read), _over.Token);
            }
        }
        catch (Exception end) when (end is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // Either side left.
        }
    }

    private double Draw()
    {
        lock (_random)
            return _random.NextDouble();
    }
}

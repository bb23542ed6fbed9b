using System.Net;
using Microsoft.AspNetCore.Connections;

namespace Serving.Server.Hosting;

/// <summary>Takes no more connections from the kernel than may be open at once, and a few that are only to be refused: in a flood they
/// wait where they cost no open file. Thread-safe.</summary>
/// <param name="sockets">What listens.</param>
/// <param name="connections">So many are served at once.</param>
internal sealed class BoundedTransport(IConnectionListenerFactory sockets, int connections) : IConnectionListenerFactory, IDisposable
{
    private const int BeingRefused = 32;

    private readonly SemaphoreSlim _room = new(connections + BeingRefused);

    public async ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) =>
        new Listener(await sockets.BindAsync(endpoint, cancellationToken), _room);

    public void Dispose() => _room.Dispose();

    private sealed class Listener(IConnectionListener sockets, SemaphoreSlim room) : IConnectionListener
    {
        private readonly CancellationTokenSource _unbound = new();

        public EndPoint EndPoint => sockets.EndPoint;

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            await room.WaitAsync(_unbound.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_unbound.IsCancellationRequested)
                return null;
            ConnectionContext? connection = null;
            try
            {
                return connection = await sockets.AcceptAsync(cancellationToken);
            }
            finally
            {
                if (connection is null)
                    room.Release();
                else
                    connection.ConnectionClosed.UnsafeRegister(static room => ((SemaphoreSlim)room!).Release(), room);
            }
        }

        public async ValueTask UnbindAsync(CancellationToken cancellationToken = default)
        {
            await _unbound.CancelAsync();
            await sockets.UnbindAsync(cancellationToken);
        }

        public ValueTask DisposeAsync()
        {
            _unbound.Dispose();
            return sockets.DisposeAsync();
        }
    }
}

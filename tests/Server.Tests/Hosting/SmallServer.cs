namespace Serving.Server.Tests.Hosting;

/// <summary>One server for all tests of a class.</summary>
public sealed class SmallServer : IAsyncLifetime
{
    internal RunningServer Server { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Server = await RunningServer.StartAsync();

    public ValueTask DisposeAsync() => Server.DisposeAsync();
}

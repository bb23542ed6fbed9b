using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;
using Serving.Server.Hosting;
using Serving.Server.Models;

namespace Serving.Server.Peers;

/// <summary>
/// Lets other servers use this one's models as members of their ensembles, at <c>POST /peers/v1/{model}</c> of an address of its own:
/// HTTP/2 without TLS, one stream a member. Off unless <c>Serving:Peers:Urls</c> is set; who may reach it is the network's business.
/// </summary>
internal sealed class PeerListener(
    ModelCatalog catalog, Drain drain, IOptions<ServingOptions> options, ILogger<PeerListener> logger) : IHostedService, IAsyncDisposable
{
    public const string Path = "/peers/v1/";

    private WebApplication? _app;
    private int _streams;

    /// <summary>Where it listens; empty when it does not.</summary>
    public IEnumerable<string> Urls => _app?.Urls ?? [];

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (options.Value.Peers.Urls is not { Length: > 0 } urls)
            return;
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<IHostLifetime, Quiet>();
        builder.WebHost.UseUrls(urls).ConfigureKestrel(Limit);
        _app = builder.Build();
        _app.MapPost(Path + "{model}", ServeAsync);
        await _app.StartAsync(cancellationToken);
        foreach (string url in Urls)
            logger.LogInformation("Listening for peers on {PeerUrl}", url);
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_app is not null)
            await _app.StopAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
            await _app.DisposeAsync();
    }

    private static void Limit(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.ConfigureEndpointDefaults(endpoint => endpoint.Protocols = HttpProtocols.Http2);
        kestrel.Limits.MaxRequestBodySize = null;
        kestrel.Limits.MinRequestBodyDataRate = null;
        kestrel.Limits.MinResponseDataRate = null;
        // A front that vanished without a word is noticed, and its K/V freed.
        kestrel.Limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(10);
    }

    private async Task ServeAsync(HttpContext http, string model)
    {
        ModelEntry? entry = catalog.Entries.FirstOrDefault(entry => entry.Id == model);
        if (entry is null || drain.IsDraining || entry.Model is not { } served || !served.Users.TryEnter())
        {
            http.Response.StatusCode = entry is null ? StatusCodes.Status404NotFound : StatusCodes.Status503ServiceUnavailable;
            return;
        }
        try
        {
            if (Interlocked.Increment(ref _streams) <= options.Value.Peers.MaxStreams)
                await RunAsync(http, served);
            else
                http.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
        }
        finally
        {
            Interlocked.Decrement(ref _streams);
            served.Users.Leave();
        }
    }

    private async Task RunAsync(HttpContext http, ServedModel model)
    {
        http.Response.ContentType = "application/vnd.serving.frames";
        await http.Response.StartAsync();
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, drain.Begun, model.Users.Closing);
        try
        {
            await new PeerSession(model, http.Request.Body, http.Response.Body).RunAsync(stopping.Token, http.RequestAborted);
        }
        catch (Exception fault) when (fault is OperationCanceledException or IOException)
        {
            logger.LogDebug("A peer's stream for {Model} ended: {Reason}", model.Id, fault.Message);
        }
        catch (Exception fault)
        {
            logger.LogWarning(fault, "A peer's stream for {Model} was broken off: {Reason}", model.Id, fault.Message);
            http.Abort();
        }
    }

    // The server that this one is a part of listens to signals.
    private sealed class Quiet : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}

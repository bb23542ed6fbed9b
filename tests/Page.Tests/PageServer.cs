using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Serving.Server.Hosting;
using Serving.Server.Models;
using Serving.Testing;

namespace Serving.Page.Tests;

/// <summary>The whole server in this process, with the bundled experts.</summary>
internal sealed class PageServer : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private PageServer(WebApplication app, Uri address)
    {
        App = app;
        Client = new HttpClient { BaseAddress = address, Timeout = Patience };
    }

    public WebApplication App { get; }

    public HttpClient Client { get; }

    public Uri Address => Client.BaseAddress!;

    /// <summary>Starts a server and waits until it is ready.</summary>
    /// <param name="models">A folder of models; null = the bundled ones.</param>
    /// <param name="port">0 = any free one.</param>
    /// <param name="load">How models are loaded; null = from their files.</param>
    /// <param name="settings">More settings, as on the command line.</param>
    public static async Task<PageServer> StartAsync(string? models = null, int port = 0, LoadModel? load = null, params string[] settings)
    {
        models ??= Path.Combine(TestData.RepositoryRoot, "models");
        WebApplication app = ServerApplication.Build(
            [$"--urls=http://127.0.0.1:{port}", "--Serilog:MinimumLevel:Default=Fatal", $"--Serving:Models={models}", .. settings],
            services =>
            {
                if (load is not null) services.AddSingleton(load);
            });
        await app.StartAsync();
        string address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        var server = new PageServer(app, new Uri(address));
        await UntilAsync(async () => (await server.Client.GetAsync("/health/ready")).IsSuccessStatusCode);
        return server;
    }

    public ServedModel Model(string id) => App.Services.GetRequiredService<ModelCatalog>().Find(id).Require();

    /// <summary>Waits until a condition holds.</summary>
    public static async Task UntilAsync(Func<Task<bool>> condition)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (!await condition())
            await Task.Delay(10, patience.Token);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        App.Services.GetRequiredService<Drain>().Force();
        await App.StopAsync();
        await App.DisposeAsync();
    }
}

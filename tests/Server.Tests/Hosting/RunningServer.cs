using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Serving.Server.Hosting;
using Serving.Server.Models;
using Serving.Testing;

namespace Serving.Server.Tests.Hosting;

/// <summary>The whole server in this process, over real sockets on a free port.</summary>
internal sealed class RunningServer : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private RunningServer(WebApplication app, Uri address)
    {
        App = app;
        // A client that leaves is gone at once; the default would read on for two seconds.
        var handler = new SocketsHttpHandler { ResponseDrainTimeout = TimeSpan.Zero };
        Client = new HttpClient(handler) { BaseAddress = address, Timeout = Patience };
    }

    public WebApplication App { get; }

    public HttpClient Client { get; }

    public Drain Drain => App.Services.GetRequiredService<Drain>();

    public ServedModel Model(string id) => App.Services.GetRequiredService<ModelCatalog>().Find(id).Require();

    /// <summary>Starts a server on the repository's small checkpoints and waits until it is ready.</summary>
    /// <param name="load">How models are loaded; null = from their files.</param>
    /// <param name="settings">As <c>ShutdownSeconds=1</c>.</param>
    public static async Task<RunningServer> StartAsync(LoadModel? load = null, params string[] settings)
    {
        RunningServer server = await StartUnreadyAsync(load, settings);
        await UntilAsync(async () => (await server.Client.GetAsync("/health/ready")).IsSuccessStatusCode);
        return server;
    }

    /// <summary>Starts a server and does not wait for its models.</summary>
    public static async Task<RunningServer> StartUnreadyAsync(LoadModel? load = null, params string[] settings)
    {
        string[] arguments =
        [
            "--urls=http://127.0.0.1:0", "--Serilog:MinimumLevel:Default=Fatal",
            $"--Serving:Models={TestData.Path("checkpoints")}", .. settings.SelectMany(setting => $"--Serving:{setting}".Split('\n')),
        ];
        WebApplication app = ServerApplication.Build(arguments, services =>
        {
            if (load is not null)
                services.AddSingleton(load);
        });
        await app.StartAsync();
        string address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        return new RunningServer(app, new Uri(address));
    }

    /// <summary>Posts a completion; the answer is returned as soon as its headers are there.</summary>
    public Task<HttpResponseMessage> CompleteAsync(string body, CancellationToken cancellation = default) => Client.SendAsync(
        new HttpRequestMessage(HttpMethod.Post, "/v1/completions") { Content = new StringContent(body, Encoding.UTF8, "application/json") },
        HttpCompletionOption.ResponseHeadersRead, cancellation);

    /// <summary>Posts a completion and reads the whole answer as JSON.</summary>
    public async Task<JsonElement> CompleteJsonAsync(string body)
    {
        using HttpResponseMessage response = await CompleteAsync(body);
        return await response.Content.ReadFromJsonAsync<JsonElement>();
    }

    /// <summary>Posts a completion and reads the data of all its events, [DONE] included.</summary>
    public async Task<List<string>> CompleteEventsAsync(string body)
    {
        using HttpResponseMessage response = await CompleteAsync(body);
        return [.. (await response.Content.ReadAsStringAsync()).Split("\n\n", StringSplitOptions.RemoveEmptyEntries)
            .Where(block => block.StartsWith("data: ", StringComparison.Ordinal)).Select(block => block["data: ".Length..])];
    }

    /// <summary>Waits until a condition holds.</summary>
    public static async Task UntilAsync(Func<Task<bool>> condition)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (!await condition())
            await Task.Delay(5, patience.Token);
    }

    public static Task UntilAsync(Func<bool> condition) => UntilAsync(() => Task.FromResult(condition()));

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        Drain.Force();
        await App.StopAsync();
        await App.DisposeAsync();
    }
}

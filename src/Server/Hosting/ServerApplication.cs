using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Options;
using Serilog;
using Serving.Inference.Scheduling;
using Serving.Server.Access;
using Serving.Server.Chat;
using Serving.Server.Comparisons;
using Serving.Server.Completions;
using Serving.Server.Embeddings;
using Serving.Server.Ensembles;
using Serving.Server.Errors;
using Serving.Server.Health;
using Serving.Server.Inspection;
using Serving.Server.Json;
using Serving.Server.Logging;
using Serving.Server.Models;
using Serving.Server.OpenApi;
using Serving.Server.Page;
using Serving.Server.Peers;
using Serving.Server.Telemetry;
using Serving.Server.Tokens;

namespace Serving.Server.Hosting;

/// <summary>Puts the server together: settings, services, pipeline, routes.</summary>
internal static class ServerApplication
{
    private const int Backlog = 4096;
    private const string DefaultUrl = "http://127.0.0.1:8080";

    /// <summary>Builds a server that is not started yet.</summary>
    /// <param name="arguments">Settings as <c>--urls=…</c> or <c>--Serving:ShutdownSeconds=…</c>; they win over all others.</param>
    /// <param name="replace">Changes services before the server is built; null = none.</param>
    public static WebApplication Build(string[] arguments, Action<IServiceCollection>? replace = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions
        {
            Args = arguments,
            ContentRootPath = AppContext.BaseDirectory,
        });
        builder.WebHost.UseKestrelHttpsConfiguration();
        if (builder.Configuration["urls"] is null && builder.Configuration["http_ports"] is null)
            builder.WebHost.UseUrls(DefaultUrl);
        AddServices(builder);
        replace?.Invoke(builder.Services);
        WebApplication app = builder.Build();
        // Listens before anything is measured: a sum that rose unheard would fall below zero.
        app.Services.GetRequiredService<MetricCollector>();
        UsePipeline(app);
        MapRoutes(app);
        return app;
    }

    private static void AddServices(WebApplicationBuilder builder)
    {
        IServiceCollection services = builder.Services;
        builder.Logging.ClearProviders().AddSerilog(ServerLog.Create(builder.Configuration), dispose: true);
        services.AddOptionsWithValidateOnStart<ServingOptions>().Configure<IConfiguration>(BindOptions);
        // A burst waits to be accepted rather than for the second after which its senders try again.
        services.Configure<SocketTransportOptions>(sockets => sockets.Backlog = Backlog);
        services.AddOptions<KestrelServerOptions>().Configure<IOptions<ServingOptions>, ILogger<KestrelServerOptions>>(Limit);
        services.AddSingleton<IConnectionListenerFactory>(provider => new BoundedTransport(
            ActivatorUtilities.CreateInstance<SocketTransportFactory>(provider),
            (int)(provider.GetRequiredService<IOptions<KestrelServerOptions>>().Value.Limits.MaxConcurrentConnections ?? int.MaxValue / 2)));
        services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(5));
        services.Configure<RouteHandlerOptions>(routes => routes.ThrowOnBadRequest = true);
        services.ConfigureHttpJsonOptions(json => ServerJson.Configure(json.SerializerOptions));
        services.AddSingleton<Drain>().AddSingleton<StopSignals>();
        services.AddSingleton(provider => new ApiKeys(provider.GetRequiredService<IOptions<ServingOptions>>().Value.Keys, TimeProvider.System));
        services.AddSingleton<IHostLifetime, GracefulLifetime>();
        services.AddSingleton(provider => EngineOptionsOf(provider.GetRequiredService<IOptions<ServingOptions>>().Value));
        services.AddSingleton(provider =>
        {
            ServingOptions options = provider.GetRequiredService<IOptions<ServingOptions>>().Value;
            return ModelRoots.Open(options.Models, options.Include);
        });
        services.AddSingleton<EnsembleEngines>();
        services.AddSingleton<TableInspections>();
        services.AddSingleton<LogitsRecorder>();
        services.AddSingleton<PromptComparer>();
        services.AddSingleton<TextComparer>();
        services.AddSingleton<MemoryGate>();
        services.AddSingleton<PeerMeter>().AddSingleton<RemoteModels>().AddHostedService<PeerListener>();
        services.AddSingleton<ModelSource>();
        services.AddSingleton<LoadModel>(provider => provider.GetRequiredService<ModelSource>().Load);
        services.AddSingleton<ModelLoader>();
        services.AddHostedService(provider => provider.GetRequiredService<ModelLoader>());
        services.AddServingOpenApi();
        services.AddSingleton<MetricCollector>().AddSingleton<GenerationMeter>().AddSingleton<EngineLedger>();
        OtlpExport.AddTo(builder);
    }

    // Outermost first. Routing stands inside, so that requests without a route are named, logged and answered too.
    private static void UsePipeline(WebApplication app)
    {
        app.UseMiddleware<RequestIdMiddleware>();
        app.UseMiddleware<RequestLogMiddleware>();
        app.UseMiddleware<TelemetryMiddleware>();
        app.UseMiddleware<ErrorMiddleware>();
        app.UseMiddleware<DrainMiddleware>();
        app.UseServingSwagger();
        app.UseRouting();
        app.UseMiddleware<AccessMiddleware>();
        app.UseMiddleware<BodyLimitMiddleware>();
    }

    private static void MapRoutes(WebApplication app)
    {
        RouteGroupBuilder v1 = app.MapGroup("/v1");
        v1.MapCompletions();
        v1.MapChat();
        v1.MapEmbeddings();
        v1.MapModels();
        v1.MapInspection();
        v1.MapLogits();
        v1.MapEnsembles();
        v1.MapCompare();
        app.MapTokens();
        app.MapHealth();
        app.MapMetrics();
        app.MapOpenApi().AllowAnybody();
        app.MapPage();
    }

    private static void BindOptions(ServingOptions options, IConfiguration configuration)
    {
        List<string> problems = [.. SettingsReader.Bind(configuration.GetSection(ServingOptions.Section), options), .. RemoteModels.Problems(options.Remote)];
        problems.AddRange(options.DeviceProblems());
        if (options is { Keys.Count: 0, AllowWithoutKey: false } && ListenRule.PublicAddresses(configuration).FirstOrDefault() is { } address)
        {
            problems.Add($"{address} is open to other machines, and there are no keys: set Serving:Keys ('key' makes one), listen to "
                + "127.0.0.1 only, or allow everybody with Serving:AllowWithoutKey=true.");
        }
        if (problems.Count > 0)
            throw new OptionsValidationException(Options.DefaultName, typeof(ServingOptions), problems);
    }

    private static void Limit(KestrelServerOptions kestrel, IOptions<ServingOptions> options, ILogger<KestrelServerOptions> logger)
    {
        kestrel.AddServerHeader = false;
        int wanted = options.Value.MaxConnections, possible = ConnectionLimit.Of(wanted);
        if (possible < wanted)
            logger.LogWarning("{Connections} connections at once instead of {Wanted}: the process may open too few files (ulimit -n)", possible, wanted);
        kestrel.Limits.MaxConcurrentConnections = possible;
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(options.Value.HeaderSeconds);
    }

    private static EngineOptions EngineOptionsOf(ServingOptions options) => new()
    {
        TokenBudget = options.Batch.MaxTokens,
        MaxRunning = options.Batch.MaxRunning,
        LogitRows = options.Batch.MaxRunning,
        ReusePrefixes = options.Batch.ReusePrefixes,
        MaxWaitingRequests = options.Queue.MaxRequests,
        MaxWaitingTokens = options.Queue.MaxTokens,
    };
}

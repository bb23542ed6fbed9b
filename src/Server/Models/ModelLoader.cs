using System.Diagnostics;
using System.Diagnostics.Metrics;
using Serving.Inference.Scheduling;
using Serving.Server.Ensembles;
using Serving.Server.Errors;
using Serving.Server.Peers;
using Serving.Server.Telemetry;

namespace Serving.Server.Models;

/// <summary>Loads all models side by side while the server already listens, and loads, replaces and unloads them one by one later.
/// One that fails leaves the others, and its own earlier version, alone.</summary>
internal sealed class ModelLoader : BackgroundService
{
    private const string LoadedTemplate =
        "Loaded {Model} as {Version}: {Parameters} parameters, {Bytes} bytes of {DType}, context {ContextTokens}, in {ElapsedMs:0} ms; "
        + "may take {MemoryBytes} bytes: weights {WeightBytes}, K/V of {KvTokens} tokens {KvBytes}, workspace {WorkspaceBytes}";

    private readonly ModelCatalog _catalog;
    private readonly EnsembleEngines _ensembles;
    private readonly EngineLedger _ledger;
    private readonly RemoteModels _remote;
    private readonly LoadModel _load;
    private readonly EngineOptions _engine;
    private readonly IHostApplicationLifetime _host;
    private readonly ILogger<ModelLoader> _logger;

    public ModelLoader(ModelCatalog catalog, EnsembleEngines ensembles, EngineLedger ledger, RemoteModels remote, LoadModel load, EngineOptions engine,
        IMeterFactory meters, IHostApplicationLifetime host, ILogger<ModelLoader> logger)
    {
        (_catalog, _ensembles, _ledger, _remote) = (catalog, ensembles, ledger, remote);
        (_load, _engine, _host, _logger) = (load, engine, host, logger);
        ModelMeter.Create(meters, catalog);
    }

    /// <summary>Reads a model's files and lets them answer every later request; requests at work keep the version that they have.
    /// </summary>
    /// <exception cref="ApiException">503: the files cannot be used. A version that answered goes on answering.</exception>
    public async Task LoadAsync(ModelEntry entry)
    {
        await entry.Changing.WaitAsync();
        try
        {
            ServedModel? old = entry.Model;
            if (await Task.Run(() => TryLoad(entry)) is { } reason)
                throw new ApiException(ErrorTable.ModelNotLoaded(entry.Id, reason, goesOn: old is not null));
            if (old is not null)
                await RetireAsync(old);
        }
        finally
        {
            entry.Changing.Release();
        }
    }

    /// <summary>Refuses further requests for a model and frees its memory when those at work have finished.</summary>
    public async Task UnloadAsync(ModelEntry entry)
    {
        await entry.Changing.WaitAsync();
        try
        {
            ServedModel? old = entry.Model;
            entry.Leave();
            if (old is not null)
                await RetireAsync(old);
        }
        finally
        {
            entry.Changing.Release();
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        long start = Stopwatch.GetTimestamp();
        // Those that wait for others must not keep the rest from loading.
        ILookup<bool, ModelEntry> isRemote = _catalog.Entries.ToLookup(entry => _remote.TryFind(entry.Id, out PeerGroup? _));
        Task[] waiting = [.. isRemote[true].Select(entry => Task.Factory.StartNew(
            () => TryLoad(entry), stoppingToken, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
        await Parallel.ForEachAsync(isRemote[false], stoppingToken, (entry, _) =>
        {
            TryLoad(entry);
            return ValueTask.CompletedTask;
        });
        await Task.WhenAll(waiting);
        double milliseconds = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        if (_catalog.HasNone)
        {
            _logger.LogCritical("None of the models could be loaded; the server stops");
            _host.StopApplication();
        }
        else
        {
            string[] ready = [.. _catalog.Entries.Where(entry => entry.State == ModelState.Ready).Select(entry => entry.Id)];
            _logger.LogInformation("Ready: {Models}, loaded in {ElapsedMs:0} ms", ready, milliseconds);
        }
    }

    // Null, or why it failed.
    private string? TryLoad(ModelEntry entry)
    {
        long start = Stopwatch.GetTimestamp();
        try
        {
            ServedModel model = _load(entry.Root, entry.Folder, _engine);
            _ledger.Add(model);
            entry.Become(model);
            if (model.ChatTemplateFault is { } reason)
                _logger.LogWarning("Chat with {Model} goes by the plain template, because its own cannot be used: {Reason}", entry.Id, reason);
            _logger.LogInformation(LoadedTemplate, entry.Id, model.Fingerprint, model.Facts.Parameters, model.Facts.Bytes, model.Facts.DType,
                model.ContextTokens, Stopwatch.GetElapsedTime(start).TotalMilliseconds, model.Memory.TotalBytes, model.Memory.WeightBytes,
                model.Memory.KvTokens, model.Memory.KvBytes, model.Memory.WorkspaceBytes);
            return null;
        }
        catch (Exception fault)
        {
            _logger.LogError(fault, "The model {Model} cannot be loaded and is left out: {Reason}", entry.Id, fault.Message);
            return entry.Fail(fault);
        }
        finally
        {
            entry.Progress.Enter(null);
        }
    }

    private async Task RetireAsync(ServedModel old)
    {
        await _ensembles.DropAsync(old);
        await old.RetireAsync();
        _ledger.Retire(old);
        _logger.LogInformation("Retired {Version} of {Model}", old.Fingerprint, old.Id);
    }
}

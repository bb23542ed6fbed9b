using System.Diagnostics;
using Serving.Inference.Scheduling;

namespace Serving.Server.Models;

/// <summary>Loads all models side by side while the server already listens; one that fails leaves the others alone.</summary>
internal sealed class ModelLoader(
    ModelCatalog catalog, LoadModel load, EngineOptions engine, IHostApplicationLifetime host, ILogger<ModelLoader> logger)
    : BackgroundService
{
    private const string LoadedTemplate =
        "Loaded {Model}: {Parameters} parameters, {Bytes} bytes of {DType}, context {ContextTokens}, in {ElapsedMs:0} ms";

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        long start = Stopwatch.GetTimestamp();
        await Parallel.ForEachAsync(catalog.Entries, stoppingToken, (entry, _) =>
        {
            Load(entry);
            return ValueTask.CompletedTask;
        });
        double milliseconds = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        if (catalog.HasNone)
        {
            logger.LogCritical("None of the models could be loaded; the server stops");
            host.StopApplication();
        }
        else
        {
            string[] ready = [.. catalog.Entries.Where(entry => entry.State == ModelState.Ready).Select(entry => entry.Id)];
            logger.LogInformation("Ready: {Models}, loaded in {ElapsedMs:0} ms", ready, milliseconds);
        }
    }

    private void Load(ModelEntry entry)
    {
        long start = Stopwatch.GetTimestamp();
        try
        {
            ServedModel model = load(entry.Root, entry.Folder, engine);
            entry.Become(model);
            if (model.ChatTemplateFault is { } reason)
                logger.LogWarning("Chat with {Model} goes by the plain template, because its own cannot be used: {Reason}", entry.Id, reason);
            logger.LogInformation(LoadedTemplate, entry.Id, model.Facts.Parameters, model.Facts.Bytes, model.Facts.DType,
                model.ContextTokens, Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }
        catch (Exception fault)
        {
            entry.Fail(fault);
            logger.LogError(fault, "The model {Model} cannot be loaded and is left out: {Reason}", entry.Id, fault.Message);
        }
    }
}

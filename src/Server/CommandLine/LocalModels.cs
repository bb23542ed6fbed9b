using Serving.Inference.Devices;
using Serving.Inference.Scheduling;
using Serving.Server.Ensembles;
using Serving.Server.Errors;
using Serving.Server.Models;

namespace Serving.Server.CommandLine;

/// <summary>The models that a command needs, loaded when they are named, without a server. Not thread-safe.</summary>
internal sealed class LocalModels(ModelCatalog catalog, EngineOptions options, IDevice? device = null) : IAsyncDisposable
{
    private readonly List<ServedModel> _ensembles = [];

    /// <summary>Loads who stands behind a name: a model, a named ensemble or a sum.</summary>
    /// <exception cref="CommandLineException">There is no such model, or its members do not fit together.</exception>
    public Cast Load(string name)
    {
        try
        {
            IEnumerable<ModelEntry> entries = catalog.FindEnsemble(name) is { } ensemble ? ensemble.Members : [catalog.Find(name)];
            foreach (ModelEntry entry in entries.Where(entry => entry.Model is null))
                entry.Become(ServedModel.Load(entry.Root, entry.Folder, options, device));
            return Cast.Of(catalog, name);
        }
        catch (ApiException refused)
        {
            int exitCode = refused.Failure.Status == StatusCodes.Status404NotFound ? ExitCode.NotFound : ExitCode.Usage;
            throw new CommandLineException(exitCode, refused.Message, "--model",
                "Name a model, an ensemble of ensembles.json, or a sum such as a+b.");
        }
    }

    /// <summary>Who answers to a name, ready to generate.</summary>
    /// <exception cref="CommandLineException">As <see cref="Load"/>.</exception>
    public ServedModel Open(string name)
    {
        Cast cast = Load(name);
        if (catalog.FindEnsemble(name) is not { } ensemble)
            return cast.Members[0];
        ServedModel engine = EnsembleModel.Start(cast.Id, cast.Members, options);
        _ensembles.Add(engine);
        return engine.As(ensemble.Definition, cast.Fingerprint);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (ServedModel ensemble in _ensembles)
            await ensemble.DisposeAsync();
        await catalog.DisposeAsync();
    }
}

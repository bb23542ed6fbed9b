using Serving.Inference.Checkpoints;
using Serving.Inference.Scheduling;
using Serving.Server.Health;

namespace Serving.Server.Models;

/// <summary>Where the server's models come from. Thread-safe.</summary>
internal sealed class ModelSource(ModelCatalog catalog, MemoryGate memory)
{
    /// <summary>Reads a model of the catalog and tells its entry how far it is.</summary>
    /// <exception cref="CheckpointException">Its files cannot be used, or it does not fit into memory.</exception>
    public ServedModel Load(ModelsRoot root, ModelFolder folder, EngineOptions options) =>
        ServedModel.Load(root, folder, options, catalog.Find(folder.Id).Progress, memory);
}

using Serving.Inference.Checkpoints;
using Serving.Server.Errors;

namespace Serving.Server.Models;

/// <summary>All models of the server by id. Thread-safe; owns the models that were loaded.</summary>
internal sealed class ModelCatalog : IAsyncDisposable
{
    private const int MaxShownIdChars = 64;

    private readonly Dictionary<string, ModelEntry> _entries = new(StringComparer.Ordinal);

    /// <param name="roots">Folders of models, at least one model in all.</param>
    /// <exception cref="CheckpointException">Two models have one id, or there is none.</exception>
    public ModelCatalog(IReadOnlyList<ModelsRoot> roots)
    {
        foreach (ModelsRoot root in roots)
        {
            foreach (ModelFolder folder in root.Models)
            {
                if (!_entries.TryAdd(folder.Id, new ModelEntry(root, folder)))
                {
                    throw new CheckpointException(folder.Path, "model's id", "one that no other folder has",
                        $"'{folder.Id}' at {_entries[folder.Id].Folder.Path} too", "Rename one of the two folders.");
                }
            }
        }
    }

    /// <summary>All models, by id.</summary>
    public IReadOnlyCollection<ModelEntry> Entries => _entries.Values;

    /// <summary>The ids of all models.</summary>
    public IEnumerable<string> Ids => _entries.Keys;

    /// <summary>Whether every model was loaded or failed to, and at least one answers.</summary>
    public bool IsReady => _entries.Values.All(entry => entry.State != ModelState.Loading) && !HasNone;

    /// <summary>Whether no model could be loaded.</summary>
    public bool HasNone => _entries.Values.All(entry => entry.State == ModelState.Failed);

    /// <summary>The model with this id.</summary>
    /// <exception cref="ApiException">400: no id was given; 404: there is none.</exception>
    public ModelEntry Find(string? id)
    {
        if (string.IsNullOrEmpty(id))
        {
            throw new ApiException(ErrorTable.Invalid([new Problem(ErrorCode.InvalidValue, "model",
                $"'model' is missing: name one of {string.Join(", ", Ids)}.")]));
        }
        return _entries.TryGetValue(id, out ModelEntry? entry)
            ? entry
            : throw new ApiException(ErrorTable.ModelNotFound(Clip(id), Ids));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (ServedModel model in Entries.Select(entry => entry.Model).OfType<ServedModel>())
            await model.DisposeAsync();
    }

    private static string Clip(string id) => id.Length <= MaxShownIdChars ? id : $"{id[..MaxShownIdChars]}…";
}

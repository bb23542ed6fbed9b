using System.Collections.Concurrent;
using System.Globalization;
using Serving.Inference.Checkpoints;
using Serving.Server.Ensembles;
using Serving.Server.Errors;

namespace Serving.Server.Models;

/// <summary>All models of the server by id. Thread-safe; owns the models that were loaded.</summary>
internal sealed class ModelCatalog : IAsyncDisposable
{
    private const int MaxShownIdChars = 64;
    private const string DepthMark = "@depth=";

    private readonly Dictionary<string, ModelEntry> _entries = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, EnsembleEntry> _ensembles = new(StringComparer.Ordinal);
    private readonly Lock _defining = new();

    /// <param name="roots">Folders of models, at least one model in all.</param>
    /// <param name="isIncluded">Whether to take a model; null = all.</param>
    /// <exception cref="CheckpointException">Two models or ensembles have one id, or an ensembles.json is malformed.</exception>
    public ModelCatalog(IReadOnlyList<ModelsRoot> roots, Predicate<string>? isIncluded = null)
    {
        foreach (ModelsRoot root in roots)
        {
            foreach (ModelFolder folder in root.Models.Where(folder => isIncluded?.Invoke(folder.Id) ?? true))
            {
                if (!_entries.TryAdd(folder.Id, new ModelEntry(root, folder)))
                {
                    throw new CheckpointException(folder.Path, "model's id", "one that no other folder has",
                        $"'{folder.Id}' at {_entries[folder.Id].Folder.Path} too", "Rename one of the two folders.");
                }
            }
        }
        foreach (ModelsRoot root in roots)
        {
            foreach (Ensemble ensemble in EnsemblesFile.Read(root.Path))
                Add(root, ensemble);
        }
    }

    /// <summary>All models, by id.</summary>
    public IReadOnlyCollection<ModelEntry> Entries => _entries.Values;

    /// <summary>All ensembles that have a name, by name.</summary>
    public IEnumerable<EnsembleEntry> Ensembles => _ensembles.Values.OrderBy(entry => entry.Id, StringComparer.Ordinal);

    /// <summary>The ids of all models.</summary>
    public IEnumerable<string> Ids => _entries.Keys;

    /// <summary>Whether every model was loaded or failed to, and at least one answers.</summary>
    public bool IsReady => _entries.Values.All(entry => entry.State != ModelState.Loading) && !HasNone;

    /// <summary>How much of the loading is done, 0 to 100; every model counts by the size of its files.</summary>
    public int LoadPercent()
    {
        (long done, long all) = (0, 0);
        foreach (ModelEntry entry in Entries)
        {
            long bytes = Math.Max(1, entry.FileBytes);
            (done, all) = (done + (bytes * (entry.State == ModelState.Loading ? entry.Progress.Percent : 100)), all + (bytes * 100));
        }
        return (int)(done * 100 / all);
    }

    /// <summary>Whether no model could be loaded.</summary>
    public bool HasNone => _entries.Values.All(entry => entry.State == ModelState.Failed);

    /// <summary>The model with this id.</summary>
    /// <exception cref="ApiException">400: no id was given; 404: there is none.</exception>
    public ModelEntry Find(string? id)
    {
        if (string.IsNullOrEmpty(id))
        {
            throw new ApiException(ErrorTable.Invalid([new Problem(ErrorCode.InvalidValue, "model",
                $"'model' is missing: name one of {string.Join(", ", Names)}.")]));
        }
        return Entry(id) ?? throw new ApiException(ErrorTable.ModelNotFound(Clip(id), Names));
    }

    /// <summary>The model that an id names, also as a stage of a grown one: <c>deep@depth=2</c>.</summary>
    /// <returns>Null when there is none, or the deep model, not loaded yet, cannot tell.</returns>
    private ModelEntry? Entry(string id)
    {
        if (_entries.TryGetValue(id, out ModelEntry? entry))
            return entry;
        string[] parts = id.Split(DepthMark);
        bool isStage = parts.Length == 2 & int.TryParse(parts[^1], NumberStyles.None, CultureInfo.InvariantCulture, out int depth);
        return isStage && _entries.GetValueOrDefault(parts[0])?.Model?.Stages.GetValueOrDefault(depth) is { } stage
            ? _entries.GetValueOrDefault(stage)
            : null;
    }

    /// <summary>The ensemble that an id names: one of <see cref="Ensembles"/>, or a sum of models.</summary>
    /// <returns>Null when the id has the form of neither.</returns>
    /// <exception cref="ApiException">400: a sum of too many; 404: a sum of something that is no model.</exception>
    public EnsembleEntry? FindEnsemble(string? id)
    {
        if (string.IsNullOrEmpty(id) || _entries.ContainsKey(id))
            return null;
        if (_ensembles.TryGetValue(id, out EnsembleEntry? named))
            return named;
        string[] models = id.Split('+');
        if (models.Length > Ensemble.MaxExperts)
        {
            throw new ApiException(ErrorTable.Invalid([new Problem(ErrorCode.InvalidValue, "model",
                $"A sum may have up to {Ensemble.MaxExperts} models; {models.Length} were given.")]));
        }
        return models.Length == 1 ? null : Bind(Ensemble.OfSum(id, models), "model");
    }

    /// <summary>A model that answers with the tokenizer of what an id names: itself, or an ensemble's first member.</summary>
    /// <param name="id">A model, an ensemble's name or a sum; null or empty = the first model of the server.</param>
    /// <exception cref="ApiException">There is none, or it cannot answer now.</exception>
    public ServedModel RequireTokenizerOf(string? id)
    {
        string name = string.IsNullOrEmpty(id) ? Ids.First() : id;
        return FindEnsemble(name)?.Require()[0] ?? Find(name).Require();
    }

    /// <summary>Finds the members of an ensemble that a request made up.</summary>
    /// <param name="ensemble">The ensemble.</param>
    /// <param name="param">The field that names it.</param>
    /// <exception cref="ApiException">404: a member does not exist.</exception>
    public EnsembleEntry Bind(Ensemble ensemble, string param)
    {
        ModelEntry?[] members = MembersOf(ensemble);
        int missing = Array.IndexOf(members, null);
        return missing < 0
            ? new EnsembleEntry(ensemble, members, param)
            : throw new ApiException(ErrorTable.ModelNotFound(Clip(ensemble.Experts[missing].Model), Ids, param));
    }

    /// <summary>Gives a name to an ensemble, or another meaning to the name. Requests that were taken before keep the meaning
    /// that they began with.</summary>
    /// <returns>The ensemble with its version.</returns>
    /// <exception cref="ApiException">400: a model has that name; 404, 409, 503: the members cannot answer together.</exception>
    public EnsembleEntry Define(Ensemble ensemble)
    {
        if (_entries.ContainsKey(ensemble.Id))
        {
            throw new ApiException(ErrorTable.Invalid([new Problem(ErrorCode.InvalidValue, "name",
                $"'{ensemble.Id}' is a model: choose a name that no model has.")]));
        }
        if (Bind(ensemble, "experts").Obstacle() is { } obstacle)
            throw new ApiException(obstacle);
        lock (_defining)
        {
            int version = 1 + (_ensembles.GetValueOrDefault(ensemble.Id)?.Definition.Version ?? 0);
            return _ensembles[ensemble.Id] = new EnsembleEntry(ensemble with { Version = version }, MembersOf(ensemble));
        }
    }

    /// <summary>Takes a name back.</summary>
    /// <exception cref="ApiException">404: no ensemble has it.</exception>
    public void Remove(string name)
    {
        if (!_ensembles.TryRemove(name, out _))
            throw new ApiException(ErrorTable.ModelNotFound(Clip(name), _ensembles.Keys, "name"));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (ServedModel model in Entries.Select(entry => entry.Model).OfType<ServedModel>())
            await model.DisposeAsync();
    }

    private IEnumerable<string> Names => Ids.Concat(_ensembles.Keys);

    private void Add(ModelsRoot root, Ensemble ensemble)
    {
        if (_entries.ContainsKey(ensemble.Id) || !_ensembles.TryAdd(ensemble.Id, new EnsembleEntry(ensemble with { Version = 1 }, MembersOf(ensemble))))
        {
            throw new CheckpointException(root.Path, "ensembles.json", "names that no model and no other ensemble has",
                $"'{ensemble.Id}' twice", "Rename the ensemble.");
        }
    }

    private ModelEntry?[] MembersOf(Ensemble ensemble) =>
        [.. ensemble.Experts.Select(expert => Entry(expert.Model))];

    private static string Clip(string id) => id.Length <= MaxShownIdChars ? id : $"{id[..MaxShownIdChars]}…";
}

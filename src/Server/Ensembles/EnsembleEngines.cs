using Serving.Inference.Scheduling;
using Serving.Server.Errors;
using Serving.Server.Models;

namespace Serving.Server.Ensembles;

/// <summary>
/// The engines of ensembles, made on first use over the weights that their members have loaded: one for all ensembles of the same
/// members, because how a request weighs them travels with it. Engines of named ensembles stay; of the others the last
/// <see cref="MaxUnnamed"/> do. Thread-safe.
/// </summary>
internal sealed class EnsembleEngines(ModelCatalog catalog, EngineOptions options) : IAsyncDisposable
{
    public const int MaxUnnamed = 8;

    private readonly SemaphoreSlim _gate = new(1);
    private readonly List<Slot> _retired = []; // whose members were replaced; they end when their last request does
    private volatile Slot[] _slots = [];
    private long _uses;

    /// <summary>Whether the loops of all engines give signs of life.</summary>
    public bool AreAlive => _slots.All(slot => slot.Model.IsAlive);

    /// <summary>Members of the engines that no named ensemble needs, for tests.</summary>
    public IEnumerable<string> UnnamedKeys => _slots.Where(slot => !IsKept(slot)).Select(slot => slot.Key);

    /// <summary>Who answers a request, kept at work until the result is disposed.</summary>
    /// <param name="model">A model, an ensemble's name or a sum.</param>
    /// <param name="definition">An ensemble instead of a name.</param>
    /// <exception cref="ApiException">There is none, or it cannot answer now.</exception>
    public async ValueTask<RentedModel> RentAsync(string? model, EnsembleDefinition? definition)
    {
        if (definition is not null)
            return await RentAsync(catalog.Bind(RequestedEnsemble.Read(model, definition), "ensemble"));
        return catalog.FindEnsemble(model) is { } ensemble
            ? await RentAsync(ensemble)
            : new RentedModel(catalog.Find(model).Require(), null);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (Slot slot in _slots.Concat(_retired))
            await slot.Model.DisposeAsync();
        _gate.Dispose();
    }

    private async Task<RentedModel> RentAsync(EnsembleEntry entry)
    {
        Cast cast = Cast.Of(entry);
        await _gate.WaitAsync();
        try
        {
            await EndRetiredAsync();
            Slot slot = _slots.FirstOrDefault(slot => slot.Key == entry.Definition.MembersKey && slot.Members.SequenceEqual(cast.Members))
                ?? await AddAsync(entry.Definition, cast.Members);
            slot.LastUse = ++_uses;
            return new RentedModel(slot.Model.As(entry.Definition, cast.Fingerprint), slot.Users);
        }
        finally
        {
            _gate.Release();
        }
    }

    // Users come only through the gate, so an engine without any stays idle while it is held.
    private async Task<Slot> AddAsync(Ensemble ensemble, IReadOnlyList<ServedModel> members)
    {
        if (_slots.FirstOrDefault(slot => slot.Key == ensemble.MembersKey) is { } outdated)
            Retire(outdated);
        else if (!IsNamed(ensemble.MembersKey) && UnnamedKeys.Count() >= MaxUnnamed)
        {
            Retire(_slots.Where(slot => !IsKept(slot) && slot.Users.IsIdle).MinBy(slot => slot.LastUse)
                ?? throw new ApiException(ErrorTable.EnsemblesBusy(MaxUnnamed)));
        }
        await EndRetiredAsync();
        var added = new Slot(ensemble.MembersKey, members, EnsembleModel.Start(ensemble.Id, members, options));
        _slots = [.. _slots, added];
        return added;
    }

    private void Retire(Slot slot)
    {
        _slots = [.. _slots.Where(other => other != slot)];
        _retired.Add(slot);
    }

    private async Task EndRetiredAsync()
    {
        foreach (Slot slot in _retired.FindAll(slot => slot.Users.IsIdle))
        {
            _retired.Remove(slot);
            await slot.Model.DisposeAsync();
        }
    }

    private bool IsKept(Slot slot) => IsNamed(slot.Key);

    private bool IsNamed(string membersKey) => catalog.Ensembles.Any(named => named.Definition.MembersKey == membersKey);

    private sealed record Slot(string Key, IReadOnlyList<ServedModel> Members, ServedModel Model)
    {
        public UserCount Users { get; } = new();

        public long LastUse { get; set; }
    }
}

using Serving.Inference.Ensembles;
using Serving.Inference.Scheduling;
using Serving.Server.Errors;
using Serving.Server.Models;

namespace Serving.Server.Ensembles;

/// <summary>
/// The engines of ensembles, made on first use over the weights that their members have loaded. Those of named ensembles stay;
/// of the others the last <see cref="MaxUnnamed"/> do. Thread-safe.
/// </summary>
internal sealed class EnsembleEngines(ModelCatalog catalog, EngineOptions options) : IAsyncDisposable
{
    public const int MaxUnnamed = 8;

    private readonly SemaphoreSlim _gate = new(1);
    private volatile Slot[] _slots = [];
    private long _uses;

    /// <summary>Whether the loops of all engines give signs of life.</summary>
    public bool AreAlive => _slots.All(slot => slot.Model.IsAlive);

    /// <summary>Names of the unnamed engines that there are, for tests.</summary>
    public IEnumerable<string> UnnamedIds => _slots.Where(slot => !slot.IsKept).Select(slot => slot.Model.Id);

    /// <summary>Who answers a request, kept at work until the result is disposed.</summary>
    /// <param name="model">A model, an ensemble's name or a sum.</param>
    /// <param name="definition">An ensemble instead of a name.</param>
    /// <exception cref="ApiException">There is none, or it cannot answer now.</exception>
    public async ValueTask<RentedModel> RentAsync(string? model, EnsembleDefinition? definition)
    {
        if (definition is not null)
            return await RentAsync(catalog.Bind(RequestedEnsemble.Read(model, definition), "ensemble"), isKept: false);
        return catalog.FindEnsemble(model) is { } named
            ? await RentAsync(named, isKept: catalog.Ensembles.Contains(named))
            : new RentedModel(catalog.Find(model).Require(), null);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (Slot slot in _slots)
            await slot.Model.DisposeAsync();
        _gate.Dispose();
    }

    private async Task<RentedModel> RentAsync(EnsembleEntry entry, bool isKept)
    {
        IReadOnlyList<ServedModel> members = entry.Require();
        string key = entry.Definition.Key;
        await _gate.WaitAsync();
        try
        {
            Slot slot = _slots.FirstOrDefault(slot => slot.Key == key)
                ?? await AddAsync(key, entry.Definition, members, isKept);
            slot.LastUse = ++_uses;
            return new RentedModel(slot.Model, slot.Users);
        }
        finally
        {
            _gate.Release();
        }
    }

    // Users come only through the gate, so an engine without any stays idle while it is held.
    private async Task<Slot> AddAsync(string key, Ensemble ensemble, IReadOnlyList<ServedModel> members, bool isKept)
    {
        if (!isKept && _slots.Count(slot => !slot.IsKept) >= MaxUnnamed)
        {
            Slot oldest = _slots.Where(slot => slot is { IsKept: false, Users.IsIdle: true }).MinBy(slot => slot.LastUse)
                ?? throw new ApiException(ErrorTable.EnsemblesBusy(MaxUnnamed));
            _slots = [.. _slots.Where(slot => slot != oldest)];
            await oldest.Model.DisposeAsync();
        }
        var added = new Slot(key, Start(ensemble, members), isKept);
        _slots = [.. _slots, added];
        return added;
    }

    private ServedModel Start(Ensemble ensemble, IReadOnlyList<ServedModel> members)
    {
        (Expert Expert, ServedModel Model)[] active = [.. ensemble.Experts.Zip(members).Where(pair => pair.First.Weight > 0)];
        int[] endOfText = [.. active.SelectMany(pair => pair.Model.EndOfTextIds).Distinct()];
        return new ServedModel(ensemble.Id, Average, members[0].Tokenizer, options with { EndOfTextIds = endOfText })
        {
            ChatTemplate = members[0].ChatTemplate,
            Marks = members[0].Marks,
            Table = members.All(member => member.Table == members[0].Table) ? members[0].Table : null,
            Facts = ModelFacts.OfEnsemble(members),
            Fingerprint = SystemFingerprint.OfEnsemble(ensemble.Rule, active.Select(pair => (pair.Model.Fingerprint, pair.Expert.Weight))),
        };

        LogitEnsemble Average() => new(
            [.. active.Select(pair => new EnsembleMember(pair.Model.Id, pair.Model.NewBackend(), pair.Expert.Weight))], ensemble.Rule);
    }

    private sealed record Slot(string Key, ServedModel Model, bool IsKept)
    {
        public UserCount Users { get; } = new();

        public long LastUse { get; set; }
    }
}

using Serving.Inference.Ensembles;
using Serving.Inference.Scheduling;
using Serving.Server.Errors;
using Serving.Server.Health;
using Serving.Server.Models;
using Serving.Server.Telemetry;

namespace Serving.Server.Ensembles;

/// <summary>
/// The engines of ensembles, made on first use over the weights that their members have loaded, and again when a member was
/// replaced. Those of named ensembles stay; of the others the last <see cref="MaxUnnamed"/> do. Thread-safe.
/// </summary>
internal sealed class EnsembleEngines(ModelCatalog catalog, EngineOptions options, EngineLedger ledger, MemoryGate memory) : IAsyncDisposable
{
    public const int MaxUnnamed = 8;

    private const string UnnamedLabel = "(unnamed ensemble)";

    private readonly SemaphoreSlim _gate = new(1);
    private volatile Slot[] _slots = [];
    private Task _retiring = Task.CompletedTask;
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
        memory.ThrowIfClosed();
        if (definition is not null)
            return await RentAsync(catalog.Bind(RequestedEnsemble.Read(model, definition), "ensemble"), isKept: false);
        if (catalog.FindEnsemble(model) is { } named)
            return await RentAsync(named, isKept: catalog.Ensembles.Contains(named));
        ModelEntry entry = catalog.Find(model);
        while (true)
        {
            // A version that was retired in between has a successor, or the entry says why there is none.
            ServedModel version = entry.Require();
            if (version.Users.TryEnter())
                return new RentedModel(version);
        }
    }

    /// <summary>Retires every engine that stands on a version of a model: the next use makes another on the version of then.</summary>
    public async Task DropAsync(ServedModel member)
    {
        await _gate.WaitAsync();
        try
        {
            foreach (Slot slot in _slots.Where(slot => slot.Members.Contains(member)))
                Drop(slot);
        }
        finally
        {
            _gate.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _retiring;
        foreach (Slot slot in _slots)
            await slot.Model.DisposeAsync();
        _gate.Dispose();
    }

    private async Task<RentedModel> RentAsync(EnsembleEntry entry, bool isKept)
    {
        string key = entry.Definition.Key;
        await _gate.WaitAsync();
        try
        {
            IReadOnlyList<ServedModel> members = entry.Require();
            if (_slots.FirstOrDefault(slot => slot.Key == key) is { } stale && !stale.Members.SequenceEqual(members))
                Drop(stale);
            Slot slot = _slots.FirstOrDefault(slot => slot.Key == key) ?? Add(key, entry, isKept);
            slot.LastUse = ++_uses;
            slot.Model.Users.TryEnter();
            return new RentedModel(slot.Model);
        }
        finally
        {
            _gate.Release();
        }
    }

    // Users come only through the gate, so an engine without any stays idle while it is held.
    private Slot Add(string key, EnsembleEntry entry, bool isKept)
    {
        if (!isKept && _slots.Count(slot => !slot.IsKept) >= MaxUnnamed)
        {
            Drop(_slots.Where(slot => slot is { IsKept: false, Model.Users.IsIdle: true }).MinBy(slot => slot.LastUse)
                ?? throw new ApiException(ErrorTable.EnsemblesBusy(MaxUnnamed)));
        }
        IReadOnlyList<ServedModel> members = Hold(entry);
        try
        {
            var added = new Slot(key, Start(entry.Definition, members, isKept), members, isKept);
            ledger.Add(added.Model);
            _slots = [.. _slots, added];
            return added;
        }
        finally
        {
            foreach (ServedModel member in members)
                member.Users.Leave();
        }
    }

    // While an engine is made its members' weights must not go.
    private static IReadOnlyList<ServedModel> Hold(EnsembleEntry entry)
    {
        while (true)
        {
            IReadOnlyList<ServedModel> members = entry.Require();
            ServedModel[] held = [.. members.TakeWhile(member => member.Users.TryEnter())];
            if (held.Length == members.Count)
                return members;
            foreach (ServedModel member in held)
                member.Users.Leave();
        }
    }

    private void Drop(Slot slot)
    {
        _slots = [.. _slots.Where(other => other != slot)];
        _retiring = Task.WhenAll(_retiring, RetireAsync(slot.Model));
    }

    private async Task RetireAsync(ServedModel model)
    {
        await model.RetireAsync();
        ledger.Retire(model);
    }

    private ServedModel Start(Ensemble ensemble, IReadOnlyList<ServedModel> members, bool isKept)
    {
        (Expert Expert, ServedModel Model)[] active = [.. ensemble.Experts.Zip(members).Where(pair => pair.First.Weight > 0)];
        int[] endOfText = [.. active.SelectMany(pair => pair.Model.EndOfTextIds).Distinct()];
        return new ServedModel(ensemble.Id, Average, members[0].Tokenizer, options with { EndOfTextIds = endOfText })
        {
            Label = isKept ? ensemble.Id : UnnamedLabel,
            ChatTemplate = members[0].ChatTemplate,
            Marks = members[0].Marks,
            Table = members.All(member => member.Table == members[0].Table) ? members[0].Table : null,
            Facts = ModelFacts.OfEnsemble(members),
            Fingerprint = SystemFingerprint.OfEnsemble(ensemble.Rule, active.Select(pair => (pair.Model.Fingerprint, pair.Expert.Weight))),
        };

        LogitEnsemble Average() => new(
            [.. active.Select(pair => new EnsembleMember(pair.Model.Id, pair.Model.NewBackend(), pair.Expert.Weight))], ensemble.Rule);
    }

    private sealed record Slot(string Key, ServedModel Model, IReadOnlyList<ServedModel> Members, bool IsKept)
    {
        public long LastUse { get; set; }
    }
}

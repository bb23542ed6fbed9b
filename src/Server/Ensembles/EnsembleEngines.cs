using Serving.Inference.Cpu;
using Serving.Inference.Scheduling;
using Serving.Server.Errors;
using Serving.Server.Health;
using Serving.Server.Models;
using Serving.Server.Telemetry;

namespace Serving.Server.Ensembles;

/// <summary>
/// The engines of ensembles, made on first use over the weights that their members have loaded, and again when a member was
/// replaced: one for all ensembles of the same members, because how a request weighs them travels with it. Engines of named
/// ensembles stay; of the others the last <see cref="MaxUnnamed"/> do. Thread-safe.
/// </summary>
internal sealed class EnsembleEngines(ModelCatalog catalog, EngineOptions options, EngineLedger ledger, MemoryGate memory,
    ILogger<EnsembleEngines> logger) : IAsyncDisposable
{
    public const int MaxUnnamed = 8;

    private const string StartedTemplate = "Started {Ensemble} of {Members}: beside their weights it may take {MemoryBytes} bytes: "
        + "K/V of {KvTokens} tokens {KvBytes}, workspace {WorkspaceBytes}";

    private readonly SemaphoreSlim _gate = new(1);
    private volatile Slot[] _slots = [];
    private Task _retiring = Task.CompletedTask;
    private long _uses;

    /// <summary>Whether the loops of all engines give signs of life.</summary>
    public bool AreAlive => _slots.All(slot => slot.Model.IsAlive);

    /// <summary>Members of the engines that no named ensemble needs, for tests.</summary>
    public IEnumerable<string> UnnamedKeys => _slots.Where(slot => NameOf(slot.Key) is null).Select(slot => slot.Key);

    /// <summary>Who answers a request, kept at work until the result is disposed.</summary>
    /// <param name="model">A model, an ensemble's name or a sum.</param>
    /// <param name="definition">An ensemble instead of a name.</param>
    /// <exception cref="ApiException">There is none, or it cannot answer now.</exception>
    public async ValueTask<RentedModel> RentAsync(string? model, EnsembleDefinition? definition)
    {
        memory.ThrowIfClosed();
        if (definition is not null)
            return await RentAsync(catalog.Bind(RequestedEnsemble.Read(model, definition), "ensemble"));
        if (catalog.FindEnsemble(model) is { } ensemble)
            return await RentAsync(ensemble);
        ModelEntry entry = catalog.Find(model);
        while (true)
        {
            // A version that was retired in between has a successor, or the entry says why there is none.
            ServedModel version = entry.Require();
            if (version.Users.TryEnter())
                return new RentedModel(version.Named(model!));
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

    private async Task<RentedModel> RentAsync(EnsembleEntry entry)
    {
        string key = entry.Definition.MembersKey;
        await _gate.WaitAsync();
        try
        {
            Cast cast = Cast.Of(entry);
            if (_slots.FirstOrDefault(slot => slot.Key == key) is { } stale && !stale.Members.SequenceEqual(cast.Members))
                Drop(stale);
            Slot slot = _slots.FirstOrDefault(slot => slot.Key == key) ?? Add(key, entry);
            slot.LastUse = ++_uses;
            slot.Model.Users.TryEnter();
            return new RentedModel(slot.Model.As(entry.Definition, cast.Fingerprint));
        }
        finally
        {
            _gate.Release();
        }
    }

    // Users come only through the gate, so an engine without any stays idle while it is held.
    private Slot Add(string key, EnsembleEntry entry)
    {
        string? name = NameOf(key);
        if (name is null && UnnamedKeys.Count() >= MaxUnnamed)
        {
            Drop(_slots.Where(slot => NameOf(slot.Key) is null && slot.Model.Users.IsIdle).MinBy(slot => slot.LastUse)
                ?? throw new ApiException(ErrorTable.EnsemblesBusy(MaxUnnamed)));
        }
        IReadOnlyList<ServedModel> members = Hold(entry);
        try
        {
            memory.CheckRoom(EnsembleModel.PlanOf(members, options));
            var added = new Slot(key, EnsembleModel.Start(name ?? entry.Definition.Label, members, options), members);
            ledger.Add(added.Model);
            MemoryPlan plan = added.Model.Memory;
            logger.LogInformation(StartedTemplate, added.Model.Id, members.Select(member => member.Id), plan.KvBytes + plan.WorkspaceBytes,
                plan.KvTokens, plan.KvBytes, plan.WorkspaceBytes);
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
            IReadOnlyList<ServedModel> members = Cast.Of(entry).Members;
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

    // The first ensemble that has a name and these members.
    private string? NameOf(string key) => catalog.Ensembles.FirstOrDefault(named => named.Definition.MembersKey == key)?.Id;

    private sealed record Slot(string Key, ServedModel Model, IReadOnlyList<ServedModel> Members)
    {
        public long LastUse { get; set; }
    }
}

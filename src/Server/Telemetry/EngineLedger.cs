using System.Diagnostics.Metrics;
using Serving.Inference.Scheduling;
using Serving.Server.Models;

namespace Serving.Server.Telemetry;

/// <summary>The engines at work and the totals of those that were retired, so that counters never fall. Thread-safe.</summary>
internal sealed class EngineLedger
{
    private readonly Lock _lock = new();
    private readonly List<ServedModel> _working = [];
    private readonly Dictionary<string, EngineStatistics> _retired = new(StringComparer.Ordinal);

    /// <param name="meters">Where the engines' figures can be read.</param>
    public EngineLedger(IMeterFactory meters) => EngineMeter.Create(meters, this);

    /// <summary>The models at work.</summary>
    public IReadOnlyList<ServedModel> Working
    {
        get
        {
            lock (_lock)
                return [.. _working];
        }
    }

    public void Add(ServedModel model)
    {
        lock (_lock)
            _working.Add(model);
    }

    /// <summary>Takes an engine out and keeps its totals; what it still holds counts no more.</summary>
    public void Retire(ServedModel model)
    {
        lock (_lock)
        {
            if (_working.Remove(model))
                _retired[model.Label] = Sum(_retired.GetValueOrDefault(model.Label), Totals(model.Engine.Statistics));
        }
    }

    /// <summary>The statistics of each label: of its engines at work, and the totals of all that ever were.</summary>
    public IReadOnlyDictionary<string, EngineStatistics> Read()
    {
        lock (_lock)
        {
            var all = new Dictionary<string, EngineStatistics>(_retired, StringComparer.Ordinal);
            foreach (ServedModel model in _working)
                all[model.Label] = Sum(all.GetValueOrDefault(model.Label), model.Engine.Statistics);
            return all;
        }
    }

    private static EngineStatistics Totals(in EngineStatistics all) => new()
    {
        Steps = all.Steps,
        ComputedTokens = all.ComputedTokens,
        PromptTokens = all.PromptTokens,
        GeneratedTokens = all.GeneratedTokens,
        PrefixQueryTokens = all.PrefixQueryTokens,
        PrefixHitTokens = all.PrefixHitTokens,
        Preemptions = all.Preemptions,
        DraftedTokens = all.DraftedTokens,
        AcceptedTokens = all.AcceptedTokens,
        AttributedTokens = all.AttributedTokens,
        Disagreement = all.Disagreement,
    };

    private static EngineStatistics Sum(in EngineStatistics a, in EngineStatistics b) => new()
    {
        WaitingRequests = a.WaitingRequests + b.WaitingRequests,
        RunningRequests = a.RunningRequests + b.RunningRequests,
        KvBlocksUsed = a.KvBlocksUsed + b.KvBlocksUsed,
        KvBlocksCached = a.KvBlocksCached + b.KvBlocksCached,
        KvBlocksTotal = a.KvBlocksTotal + b.KvBlocksTotal,
        Steps = a.Steps + b.Steps,
        ComputedTokens = a.ComputedTokens + b.ComputedTokens,
        PromptTokens = a.PromptTokens + b.PromptTokens,
        GeneratedTokens = a.GeneratedTokens + b.GeneratedTokens,
        PrefixQueryTokens = a.PrefixQueryTokens + b.PrefixQueryTokens,
        PrefixHitTokens = a.PrefixHitTokens + b.PrefixHitTokens,
        Preemptions = a.Preemptions + b.Preemptions,
        DraftedTokens = a.DraftedTokens + b.DraftedTokens,
        AcceptedTokens = a.AcceptedTokens + b.AcceptedTokens,
        AttributedTokens = a.AttributedTokens + b.AttributedTokens,
        Disagreement = a.Disagreement + b.Disagreement,
    };
}

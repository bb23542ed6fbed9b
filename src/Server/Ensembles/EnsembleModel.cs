using Serving.Inference.Cpu;
using Serving.Inference.Ensembles;
using Serving.Inference.Scheduling;
using Serving.Server.Models;

namespace Serving.Server.Ensembles;

/// <summary>Starts the engine of several models that answer as one.</summary>
internal static class EnsembleModel
{
    /// <summary>An engine for every ensemble of these members: see <see cref="ServedModel.As"/>.</summary>
    /// <param name="id">Its name.</param>
    /// <param name="members">All that run, loaded.</param>
    /// <param name="options">The engine's budgets.</param>
    public static ServedModel Start(string id, IReadOnlyList<ServedModel> members, EngineOptions options)
    {
        int[] endOfText = [.. members.SelectMany(member => member.EndOfTextIds).Distinct()];
        return new ServedModel(id, Average, members[0].Tokenizer, options with { EndOfTextIds = endOfText })
        {
            ChatTemplate = members[0].ChatTemplate,
            Marks = members[0].Marks,
            Table = members.All(member => member.Table == members[0].Table) ? members[0].Table : null,
            Facts = ModelFacts.OfEnsemble(members),
            Memory = PlanOf(members, options),
            Fingerprint = "",
        };

        LogitEnsemble Average() => new([.. members.Select(member => new EnsembleMember(member.Id, member.NewBackend()))]);
    }

    /// <summary>The memory that the engine of these members takes; their weights, which are counted, too, they hold already.</summary>
    public static MemoryPlan PlanOf(IReadOnlyList<ServedModel> members, EngineOptions options) => MemoryPlan.OfEnsemble(
        ModelFacts.OfEnsemble(members).Bytes, [.. members.Select(member => member.Memory)], options.LogitRows, members[0].VocabularySize);
}

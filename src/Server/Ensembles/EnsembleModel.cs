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
            Facts = ModelFacts.OfEnsemble(members),
            Fingerprint = "",
        };

        LogitEnsemble Average() => new([.. members.Select(member => new EnsembleMember(member.Id, member.NewBackend()))]);
    }
}

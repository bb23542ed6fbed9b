using Serving.Inference.Ensembles;
using Serving.Server.Errors;
using Serving.Server.Models;

namespace Serving.Server.Ensembles;

/// <summary>Who stands behind a name: one model, or the members of an ensemble, all loaded.</summary>
/// <param name="Id">The name.</param>
/// <param name="Members">Those with a weight above 0, which alone ever run.</param>
/// <param name="Blend">How they answer together: as many weights as members.</param>
/// <param name="Fingerprint">Changes with anything that their answers depend on.</param>
internal sealed record Cast(string Id, IReadOnlyList<ServedModel> Members, Blend Blend, string Fingerprint)
{
    /// <summary>What the name stands for, with its weights; null for a single model.</summary>
    public Ensemble? Ensemble { get; private init; }

    /// <summary>Whether several answer together.</summary>
    public bool IsEnsemble => Ensemble is not null;

    /// <summary>Who answers to a name: a model, a named ensemble or a sum.</summary>
    /// <exception cref="ApiException">Nobody does, or not now.</exception>
    public static Cast Of(ModelCatalog catalog, string? name)
    {
        if (catalog.FindEnsemble(name) is { } ensemble)
            return Of(ensemble);
        ServedModel model = catalog.Find(name).Require();
        return new Cast(name!, [model], new Blend([1], EnsembleRule.Logits), model.Fingerprint);
    }

    /// <summary>The members of an ensemble.</summary>
    /// <exception cref="ApiException">One of them cannot answer now, or does not fit the others.</exception>
    public static Cast Of(EnsembleEntry entry)
    {
        Ensemble ensemble = entry.Definition;
        (Expert Expert, ServedModel Model)[] active =
            [.. ensemble.Experts.Zip(entry.Require()).Where(pair => pair.First.Weight > 0)];
        string fingerprint = SystemFingerprint.OfEnsemble(
            ensemble.Rule, active.Select(pair => (pair.Model.Fingerprint, pair.Expert.Weight)));
        return new Cast(ensemble.Id, [.. active.Select(pair => pair.Model)], ensemble.Blend, fingerprint) { Ensemble = ensemble };
    }
}

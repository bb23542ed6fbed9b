using Serving.Inference.Ensembles;
using Serving.Server.Errors;

namespace Serving.Server.Ensembles;

/// <summary>The field <c>ensemble</c> of a request.</summary>
internal static class RequestedEnsemble
{
    private const string Field = "ensemble";

    /// <exception cref="ApiException">400 with everything that is wrong with it.</exception>
    public static Ensemble Read(string? model, EnsembleDefinition definition)
    {
        var problems = new ProblemList();
        if (!string.IsNullOrEmpty(model))
            problems.Add(Field, "'ensemble' stands instead of 'model'; both were given. Leave one out, or send an empty 'model'.");
        foreach ((string path, string expected, string found) in EnsembleRules.Breaches(definition))
            problems.Add($"{Field}.{path}", $"'{Field}.{path}' must be {expected}; {found} was given.");
        problems.ThrowIfAny();
        (IReadOnlyList<Expert> experts, EnsembleRule rule) = EnsembleRules.Read(definition);
        return Ensemble.OfRequest(experts, rule);
    }
}

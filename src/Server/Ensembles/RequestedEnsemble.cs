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
        AddBreaches(problems, definition, $"{Field}.");
        problems.ThrowIfAny();
        (IReadOnlyList<Expert> experts, EnsembleRule rule) = EnsembleRules.Read(definition);
        return Ensemble.OfRequest(experts, rule);
    }

    /// <summary>The body of a request that gives a name to an ensemble.</summary>
    /// <exception cref="ApiException">400 with everything that is wrong with it.</exception>
    public static Ensemble ReadNamed(string name, EnsembleDefinition definition, bool strict)
    {
        var problems = new ProblemList();
        if (!EnsembleRules.IsName(name))
            problems.Add("name", $"A name must be {EnsembleRules.NameForm}.");
        AddBreaches(problems, definition, "");
        foreach (string field in strict ? definition.UnknownFields() : [])
            problems.Unsupported(true, field, $"There is no field '{field}', and X-Strict: 1 asks for a refusal. Leave it out.");
        problems.ThrowIfAny();
        (IReadOnlyList<Expert> experts, EnsembleRule rule) = EnsembleRules.Read(definition);
        return new Ensemble(name, experts, rule);
    }

    private static void AddBreaches(ProblemList problems, EnsembleDefinition definition, string prefix)
    {
        foreach ((string path, string expected, string found) in EnsembleRules.Breaches(definition))
            problems.Add(prefix + path, $"'{prefix}{path}' must be {expected}; {found} was given.");
    }
}

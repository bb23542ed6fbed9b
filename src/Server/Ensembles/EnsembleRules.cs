using System.Globalization;
using Serving.Inference.Ensembles;

namespace Serving.Server.Ensembles;

/// <summary>What an ensemble must be like, for requests and files alike.</summary>
internal static class EnsembleRules
{
    private const int MaxNameChars = 64;

    /// <summary>What a name must be like; one with '+' would be a sum of models.</summary>
    public static string NameForm { get; } = $"1 to {MaxNameChars} of A-Z a-z 0-9 . _ -";

    /// <summary>Something wrong: the field's path, what it must be, and what it is.</summary>
    internal readonly record struct Breach(string Path, string Expected, string Found);

    /// <summary>Everything that is wrong with a definition, but for fields that are not known.</summary>
    public static IEnumerable<Breach> Breaches(EnsembleDefinition definition)
    {
        List<ExpertDefinition?> experts = definition.Experts ?? [];
        if (experts.Count is 0 or > Ensemble.MaxExperts)
            yield return new("experts", $"a list of 1 to {Ensemble.MaxExperts} experts", $"{experts.Count}");
        for (int i = 0; i < Math.Min(experts.Count, Ensemble.MaxExperts); i++)
        {
            if (string.IsNullOrEmpty(experts[i]?.Model))
                yield return new($"experts[{i}].model", "the id of a model", "nothing");
            if (!(experts[i]?.Weight is null or (>= 0 and <= Ensemble.MaxWeight)))
                yield return new($"experts[{i}].weight", $"a number from 0 to {Ensemble.MaxWeight:0}", Show(experts[i]!.Weight!.Value));
        }
        if (experts.Count > 0 && experts.All(expert => expert?.Weight == 0))
            yield return new("experts", "a list with a weight above 0", "none");
        if (definition.Combine is not (null or "logits" or "probs"))
            yield return new("combine", "\"logits\" or \"probs\"", "something else");
    }

    /// <summary>The members of a definition without breaches.</summary>
    public static (IReadOnlyList<Expert> Experts, EnsembleRule Rule) Read(EnsembleDefinition definition) => (
        [.. definition.Experts!.Select(expert => new Expert(expert!.Model!, expert.Weight ?? 1))],
        definition.Combine == "probs" ? EnsembleRule.Probabilities : EnsembleRule.Logits);

    public static bool IsName(string name) =>
        name.Length is > 0 and <= MaxNameChars && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');

    private static string Show(double number) =>
        double.IsFinite(number) ? number.ToString(CultureInfo.InvariantCulture) : "a number beyond the range of double precision";
}

using System.Globalization;
using Serving.Inference.Ensembles;

namespace Serving.Server.Ensembles;

/// <summary>Models that answer as one; whether they exist and fit is not known yet.</summary>
/// <param name="Id">Its name, or what it is made of.</param>
/// <param name="Experts">1 to <see cref="MaxExperts"/>, one of them with a weight above 0.</param>
/// <param name="Rule">What is averaged.</param>
internal sealed record Ensemble(string Id, IReadOnlyList<Expert> Experts, EnsembleRule Rule)
{
    public const int MaxExperts = 8;
    public const double MaxWeight = 1_000_000;

    /// <summary>Equal for ensembles that are the same in name and members.</summary>
    public string Key => $"{Id}\n{Describe(Experts, Rule)}";

    /// <summary>Equal weights, by logits.</summary>
    public static Ensemble OfSum(string id, IEnumerable<string> models) =>
        new(id, [.. models.Select(model => new Expert(model, 1))], EnsembleRule.Logits);

    /// <summary>An ensemble that a request made up: its id tells what it is.</summary>
    public static Ensemble OfRequest(IReadOnlyList<Expert> experts, EnsembleRule rule) => new(Describe(experts, rule), experts, rule);

    private static string Describe(IReadOnlyList<Expert> experts, EnsembleRule rule)
    {
        string sum = string.Join('+', experts.Select(expert => string.Create(CultureInfo.InvariantCulture, $"{expert.Weight:R}*{expert.Model}")));
        return rule == EnsembleRule.Logits ? sum : $"probs({sum})";
    }
}

/// <summary>A member of an ensemble.</summary>
/// <param name="Model">The id of a model.</param>
/// <param name="Weight">0 to <see cref="Ensemble.MaxWeight"/>; only the proportions count.</param>
internal readonly record struct Expert(string Model, double Weight);

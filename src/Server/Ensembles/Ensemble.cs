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

    /// <summary>Counts the definitions of a name, from 1; 0 for an ensemble without a name.</summary>
    public int Version { get; init; }

    /// <summary>Its name in metrics: one of a closed set.</summary>
    public string Label => Version > 0 ? Id : "(unnamed ensemble)";

    /// <summary>Equal for ensembles of the same members, whatever their weights: one engine answers for all of them.</summary>
    public string MembersKey => string.Join('\n', ActiveExperts.Select(expert => expert.Model));

    /// <summary>The members with a weight above 0, which alone ever run.</summary>
    public IEnumerable<Expert> ActiveExperts => Experts.Where(expert => expert.Weight > 0);

    /// <summary>How its active experts answer together.</summary>
    public Blend Blend => new(ActiveExperts.Select(expert => expert.Weight), Rule);

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

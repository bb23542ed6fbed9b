using Serving.Inference.Ensembles;

namespace Serving.Inference.Scoring;

/// <summary>Who answers: one expert, or several together.</summary>
/// <param name="Experts">Indices into the scorer's experts, as many as the blend has weights. One may stand twice.</param>
/// <param name="Blend">How they answer together.</param>
public sealed record Mixture(IReadOnlyList<int> Experts, Blend Blend)
{
    /// <summary>One expert alone.</summary>
    public static Mixture Of(int expert) => new([expert], new Blend([1], EnsembleRule.Logits));
}

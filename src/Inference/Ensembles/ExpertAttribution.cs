namespace Serving.Inference.Ensembles;

/// <summary>What the experts of an ensemble thought of a token that they chose together.</summary>
/// <param name="Logprobs">The token's log-probability (nats) under each expert alone.</param>
/// <param name="FirstChoices">The token that each expert finds likeliest.</param>
/// <param name="Disagreement">Jensen-Shannon divergence of the experts' distributions under the ensemble's weights, in nats.</param>
public sealed record ExpertAttribution(IReadOnlyList<float> Logprobs, IReadOnlyList<int> FirstChoices, double Disagreement);

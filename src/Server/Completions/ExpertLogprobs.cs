using System.ComponentModel;

namespace Serving.Server.Completions;

/// <summary>Who carried each generated token: lists of one entry a token, and in them one an expert.</summary>
/// <param name="Experts">The members that run, by id; the order of all other lists.</param>
/// <param name="TokenLogprobs">The chosen token's log-probability under each expert alone, nats.</param>
/// <param name="TopTokens">Each expert's own first choice.</param>
/// <param name="Disagreement">Jensen-Shannon divergence of the experts under the ensemble's weights, nats.</param>
internal sealed record ExpertLogprobs(
    [property: Description("The members with a weight above 0; the order of all other lists.")] IReadOnlyList<string> Experts,
    [property: Description("For each generated token: its log-probability under each expert alone, in nats.")]
    IReadOnlyList<IReadOnlyList<float>> TokenLogprobs,
    [property: Description("For each generated token: the token that each expert alone finds likeliest.")]
    IReadOnlyList<IReadOnlyList<string>> TopTokens,
    [property: Description("For each generated token: the Jensen-Shannon divergence of the experts under the ensemble's weights, in nats.")]
    IReadOnlyList<double> Disagreement);

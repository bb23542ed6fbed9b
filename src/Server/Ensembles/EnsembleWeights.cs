using System.ComponentModel;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Serialization;
using Serving.Inference.Ensembles;

namespace Serving.Server.Ensembles;

/// <summary>What an ensemble is made of, as clients see it.</summary>
internal sealed record EnsembleWeights(
    IReadOnlyList<ExpertWeight> Experts,
    [property: Description("What is averaged: logits or probs.")] string Combine)
{
    [Description("Counts the definitions of the name, from 1; left out for an ensemble without a name.")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Version { get; init; }

    [return: NotNullIfNotNull(nameof(ensemble))]
    public static EnsembleWeights? Of(Ensemble? ensemble) => ensemble is null ? null : new(
        [.. ensemble.Experts.Select(expert => new ExpertWeight(expert.Model, expert.Weight))],
        ensemble.Rule == EnsembleRule.Logits ? "logits" : "probs")
    {
        Version = ensemble.Version == 0 ? null : ensemble.Version,
    };
}

/// <summary>A member of an ensemble.</summary>
internal sealed record ExpertWeight(string Model, [property: Description("As it was given; only the proportions count.")] double Weight);

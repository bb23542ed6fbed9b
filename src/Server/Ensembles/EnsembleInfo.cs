using System.ComponentModel;

namespace Serving.Server.Ensembles;

/// <summary>A named ensemble as clients see it.</summary>
internal sealed record EnsembleInfo
{
    public required string Name { get; init; }

    [Description("Always ensemble.")]
    public string Object { get; init; } = "ensemble";

    public required IReadOnlyList<ExpertWeight> Experts { get; init; }

    [Description("What is averaged: logits or probs.")]
    public required string Combine { get; init; }

    [Description("Counts the definitions of this name since the server started, from 1. Answers name the version that made them.")]
    public required int Version { get; init; }

    [Description("loading, ready or failed.")]
    public required string State { get; init; }

    [Description("Why it cannot answer.")]
    public string? Error { get; init; }
}

/// <summary>The answer of <c>GET /v1/ensembles</c>.</summary>
internal sealed record EnsembleList(IReadOnlyList<EnsembleInfo> Data)
{
    [Description("Always list.")]
    public string Object { get; init; } = "list";
}

/// <summary>The answer of <c>DELETE /v1/ensembles/{name}</c>.</summary>
internal sealed record EnsembleDeleted(string Name, bool Deleted)
{
    [Description("Always ensemble.")]
    public string Object { get; init; } = "ensemble";
}

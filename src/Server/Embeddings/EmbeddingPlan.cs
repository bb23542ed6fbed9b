using Serving.Server.Models;

namespace Serving.Server.Embeddings;

/// <summary>A request for embeddings that cannot be invalid any more.</summary>
/// <param name="Model">Whose vectors.</param>
/// <param name="Inputs">The tokens of each input; at least one.</param>
/// <param name="Layer">Which vectors.</param>
/// <param name="AsBase64">How they are written.</param>
internal sealed record EmbeddingPlan(ServedModel Model, IReadOnlyList<int[]> Inputs, EmbeddingLayer Layer, bool AsBase64)
{
    /// <summary>Tokens of all inputs.</summary>
    public int Tokens => Inputs.Sum(input => input.Length);
}

/// <summary>Which vectors of a model are averaged.</summary>
internal enum EmbeddingLayer
{
    /// <summary>Final hidden states: what the head reads.</summary>
    Last,

    /// <summary>Frozen input vectors.</summary>
    Input,
}

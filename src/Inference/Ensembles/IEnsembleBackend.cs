namespace Serving.Inference.Ensembles;

/// <summary>Several experts of one vocabulary that answer as one. A chunk's rows are averaged by its own
/// <see cref="ForwardBatch.Chunk.Blend"/>, or by the members' weights if it has none.</summary>
public interface IEnsembleBackend : IBackend
{
    /// <summary>What each member that runs thought of a token, in their order.</summary>
    /// <param name="row">A row of the last forward pass, without a fault.</param>
    /// <param name="token">The token that was chosen.</param>
    /// <param name="blend">The weights that chose it; null = the members' own.</param>
    ExpertAttribution Attribute(int row, int token, Blend? blend);
}

namespace Serving.Server.Peers;

/// <summary>A batch as it is sent, and what a peer must hold to compute it. Immutable, so that several attempts may read it.</summary>
/// <param name="Step">Its number.</param>
/// <param name="Chunks">The batch's chunks.</param>
/// <param name="LogitRows">Rows asked for.</param>
internal sealed record StepPlan(uint Step, IReadOnlyList<StepPlan.Chunk> Chunks, int LogitRows)
{
    /// <summary>A chunk and the blocks it stands on.</summary>
    /// <param name="Position">Of its first token.</param>
    /// <param name="Tokens">Its tokens.</param>
    /// <param name="LogitRows">How many of its last tokens ask for logits.</param>
    /// <param name="Blocks">The blocks up to its last token.</param>
    /// <param name="Before">The write that each of the blocks before its first token saw last; as many as hold these positions.</param>
    internal sealed record Chunk(int Position, int[] Tokens, int LogitRows, int[] Blocks, long[] Before);
}

using System.Runtime.InteropServices;

namespace Serving.Inference;

/// <summary>Checks a batch before any of it is computed.</summary>
internal static class BatchCheck
{
    /// <exception cref="ArgumentException">A token, position, block or the size of <paramref name="logits"/> is out of range.</exception>
    public static void Throw(ForwardBatch batch, ReadOnlySpan<float> logits, ModelShape shape, KvCapacity kv)
    {
        ArgumentNullException.ThrowIfNull(batch);
        if (logits.Length < (long)batch.LogitRows * shape.VocabularySize)
        {
            throw new ArgumentException(
                $"Room for {batch.LogitRows} rows of {shape.VocabularySize} logits is needed, {logits.Length} values are given.",
                nameof(logits));
        }

        foreach (int token in batch.Tokens)
        {
            if ((uint)token >= (uint)shape.VocabularySize)
                throw new ArgumentOutOfRangeException(nameof(batch), token, $"A token is from 0 to {shape.VocabularySize - 1}.");
        }

        foreach (ref readonly ForwardBatch.Chunk chunk in batch.Chunks)
            Throw(chunk, shape, kv);
    }

    private static void Throw(in ForwardBatch.Chunk chunk, ModelShape shape, KvCapacity kv)
    {
        long end = (long)chunk.Position + chunk.Length;
        if (end > shape.ContextTokens)
            throw new ArgumentException($"A chunk ends at position {end}; the context has {shape.ContextTokens}.", nameof(chunk));
        long blocks = (end + kv.BlockTokens - 1) / kv.BlockTokens;
        if (chunk.Blocks.Count < blocks)
            throw new ArgumentException($"{blocks} blocks are needed for {end} positions, {chunk.Blocks.Count} are given.", nameof(chunk));
        foreach (int block in CollectionsMarshal.AsSpan(chunk.Blocks))
        {
            if ((uint)block >= (uint)kv.Blocks)
                throw new ArgumentException($"Block {block} does not exist; there are {kv.Blocks}.", nameof(chunk));
        }
    }
}

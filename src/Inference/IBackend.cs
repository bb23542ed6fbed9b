namespace Serving.Inference;

/// <summary>
/// The seam between scheduling and arithmetic: one model (or several that answer as one) that turns tokens into logits.
/// The scheduler, the sampler and the API know nothing else of a model.
/// </summary>
/// <remarks>Not thread-safe: the engine's loop thread owns it. It holds the K/V of every block; which block belongs to
/// which sequence is the scheduler's business and arrives with each batch.</remarks>
public interface IBackend : IDisposable
{
    /// <summary>The sizes that scheduling and sampling need.</summary>
    ModelShape Shape { get; }

    /// <summary>The K/V memory, in blocks of <see cref="KvCapacity.BlockTokens"/> tokens.</summary>
    KvCapacity Kv { get; }

    /// <summary>
    /// Runs every chunk of <paramref name="batch"/> through the model, writing its K/V into its blocks.
    /// </summary>
    /// <param name="batch">A ragged batch; K/V of positions before a chunk's first must already stand in its blocks.</param>
    /// <param name="logits">[<see cref="ForwardBatch.LogitRows"/>, <see cref="ModelShape.VocabularySize"/>], row-major: the
    /// rows that asked, in the batch's order. Every row is the same bits whatever else the batch holds.</param>
    void Forward(ForwardBatch batch, Span<float> logits);
}

/// <summary>What scheduling and sampling need to know of a model.</summary>
/// <param name="VocabularySize">Logits a row.</param>
/// <param name="ContextTokens">The most positions a sequence can have.</param>
public readonly record struct ModelShape(int VocabularySize, int ContextTokens)
{
    /// <summary>Values of a final hidden state: what the last norm gives and the head reads. 0 = there is none to ask for, as
    /// with several models that answer as one.</summary>
    public int HiddenWidth { get; init; }
}

/// <summary>K/V memory: <paramref name="Blocks"/> blocks of <paramref name="BlockTokens"/> positions each.</summary>
public readonly record struct KvCapacity(int Blocks, int BlockTokens);

namespace Serving.Inference.Speculation;

/// <summary>
/// A backend whose first blocks can answer alone, through a head of their own, and leave what they computed for the whole model to
/// go on from: a grown model that drafts with an earlier stage of itself.
/// </summary>
public interface IDraftingBackend : IBackend
{
    /// <summary>Whether there is such a head.</summary>
    bool CanDraft { get; }

    /// <summary>Runs the first blocks only: writes their K/V, keeps their activations, and answers from their own head.</summary>
    /// <param name="batch">As in <see cref="IBackend.Forward"/>. A chunk that is <see cref="ForwardBatch.Chunk.Drafted"/> in the next
    /// forward pass continues from here and computes the later blocks only.</param>
    /// <param name="logits">As in <see cref="IBackend.Forward"/>.</param>
    void Draft(ForwardBatch batch, Span<float> logits);
}

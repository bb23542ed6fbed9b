namespace Serving.Inference;

/// <summary>A backend that is computed elsewhere, so that others can compute meanwhile. <see cref="IBackend.Forward"/> is
/// <see cref="Begin"/> and <see cref="Complete"/> in one.</summary>
public interface IRemoteBackend : IBackend
{
    /// <summary>Sends a batch on its way and does not wait. What came of an earlier one that nobody completed is lost.</summary>
    /// <param name="batch">Read before this returns.</param>
    void Begin(ForwardBatch batch);

    /// <summary>Waits for the logits of the batch that was begun last.</summary>
    /// <param name="logits">As in <see cref="IBackend.Forward"/>.</param>
    /// <exception cref="BackendUnavailableException">Nobody computes it now.</exception>
    void Complete(Span<float> logits);
}

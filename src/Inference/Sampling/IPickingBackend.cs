namespace Serving.Inference.Sampling;

/// <summary>A backend whose logits are far away, on an accelerator, and which can pick tokens there, so that rows of which nothing but
/// the token is wanted never cross the bus.</summary>
public interface IPickingBackend : IBackend
{
    /// <summary>As <see cref="IBackend.Forward"/>, but picks where a pick is wanted.</summary>
    /// <param name="batch">As there.</param>
    /// <param name="picks">[<see cref="ForwardBatch.LogitRows"/>]; empty = every row itself is wanted.</param>
    /// <param name="tokens">[<see cref="ForwardBatch.LogitRows"/>]: takes the picked tokens; -1 where a row has no finite maximum;
    /// untouched where no pick is wanted.</param>
    /// <param name="logits">As there; rows that were picked from are left as they are.</param>
    void Forward(ForwardBatch batch, ReadOnlySpan<TokenPick> picks, Span<int> tokens, Span<float> logits);
}

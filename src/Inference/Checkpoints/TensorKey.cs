namespace Serving.Inference.Checkpoints;

/// <summary>A tensor's place in the model.</summary>
/// <param name="Role">What it is for.</param>
/// <param name="Layer">The block's index; -1 outside the blocks.</param>
/// <param name="IsBias">The bias rather than the weight.</param>
/// <param name="IsScale">The scales of a weight of whole numbers.</param>
internal readonly record struct TensorKey(TensorRole Role, int Layer = -1, bool IsBias = false, bool IsScale = false);

namespace Serving.Inference.Checkpoints;

/// <summary>A tensor's place in a checkpoint.</summary>
/// <param name="Expert">What marks the expert it belongs to, as in the name; empty = nothing does.</param>
/// <param name="Key">Its place in that expert.</param>
internal readonly record struct TensorPlace(string Expert, TensorKey Key);

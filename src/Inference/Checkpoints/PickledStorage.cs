namespace Serving.Inference.Checkpoints;

/// <summary>The bytes that tensors of a pickle are views of: the entry <c>data/{Key}</c> of its archive.</summary>
/// <param name="DType">The element type.</param>
/// <param name="Key">Letters, digits and underscores.</param>
/// <param name="Elements">Their number; not negative.</param>
internal sealed record PickledStorage(DType DType, string Key, long Elements);

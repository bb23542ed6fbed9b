namespace Serving.Inference.Checkpoints;

/// <summary>A tensor as a header describes it; offsets count from the end of the header.</summary>
/// <param name="Name">Its name.</param>
/// <param name="DType">The element type.</param>
/// <param name="Shape">Its dimensions, outermost first.</param>
/// <param name="Begin">Its first byte.</param>
/// <param name="End">The one behind its last.</param>
/// <param name="Fingerprint">What the metadata say of its content; null = nothing.</param>
internal readonly record struct SafetensorsEntry(string Name, DType DType, long[] Shape, long Begin, long End, string? Fingerprint = null);

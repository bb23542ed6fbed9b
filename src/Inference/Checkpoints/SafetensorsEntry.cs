namespace Serving.Inference.Checkpoints;

/// <summary>A tensor as a header describes it; offsets count from the end of the header.</summary>
internal readonly record struct SafetensorsEntry(string Name, DType DType, long[] Shape, long Begin, long End);

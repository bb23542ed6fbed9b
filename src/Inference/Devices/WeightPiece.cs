namespace Serving.Inference.Devices;

/// <summary>A stretch of memory that holds weights.</summary>
/// <param name="Memory">Names it: models with a piece of the same memory share it.</param>
/// <param name="Bytes">Its size.</param>
public readonly record struct WeightPiece(object Memory, long Bytes);

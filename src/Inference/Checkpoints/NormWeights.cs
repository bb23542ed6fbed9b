namespace Serving.Inference.Checkpoints;

/// <summary>A normalisation.</summary>
/// <param name="Weight">[width].</param>
/// <param name="Bias">[width]; null = none.</param>
public sealed record NormWeights(Tensor Weight, Tensor? Bias);

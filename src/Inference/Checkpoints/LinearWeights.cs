namespace Serving.Inference.Checkpoints;

/// <summary>A linear map.</summary>
/// <param name="Weight">[outputs, inputs].</param>
/// <param name="Bias">[outputs]; null = none.</param>
/// <param name="Scales">[outputs, inputs / 64, rounded up], bf16: what each 64 whole numbers of an output are times; null = the
/// weights are no whole numbers.</param>
public sealed record LinearWeights(Tensor Weight, Tensor? Bias, Tensor? Scales = null)
{
    /// <summary>Values out.</summary>
    public int Outputs => (int)Weight.Shape[0];

    /// <summary>Values in.</summary>
    public int Inputs => (int)Weight.Shape[1];
}

namespace Serving.Inference.Checkpoints;

/// <summary>A linear map.</summary>
/// <param name="Weight">[outputs, inputs].</param>
/// <param name="Bias">[outputs]; null = none.</param>
public sealed record LinearWeights(Tensor Weight, Tensor? Bias)
{
    /// <summary>Values out.</summary>
    public int Outputs => (int)Weight.Shape[0];

    /// <summary>Values in.</summary>
    public int Inputs => (int)Weight.Shape[1];
}

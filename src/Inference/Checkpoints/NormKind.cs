namespace Serving.Inference.Checkpoints;

/// <summary>How activations are normalised.</summary>
public enum NormKind
{
    /// <summary>Mean 0, variance 1, then weight and bias.</summary>
    Layer,

    /// <summary>Root mean square 1, then weight.</summary>
    Rms,
}

namespace Serving.Inference.Checkpoints;

/// <summary>The function between the two matrices of the MLP.</summary>
public enum Activation
{
    /// <summary>x/2 (1 + erf(x/√2)): GELU itself, PyTorch's default.</summary>
    Gelu,

    /// <summary>x/2 (1 + tanh(√(2/π) (x + 0.044715 x³))): the approximation that GPT-2 uses.</summary>
    GeluTanh,

    /// <summary>x σ(x).</summary>
    Silu,

    /// <summary>max(x, 0).</summary>
    Relu,
}

namespace Serving.Inference.Cpu.Kernels;

/// <summary>What becomes of the sums of a matrix product.</summary>
internal enum Epilogue
{
    /// <summary>They are stored.</summary>
    Store,

    /// <summary>They are added to what is there.</summary>
    Add,

    /// <summary>Their GELU is stored.</summary>
    Gelu,

    /// <summary>The tanh approximation of their GELU is stored.</summary>
    GeluTanh,

    /// <summary>x σ(x) of them is stored.</summary>
    Silu,

    /// <summary>They are stored, 0 where they are negative.</summary>
    Relu,
}

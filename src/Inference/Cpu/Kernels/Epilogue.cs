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
}

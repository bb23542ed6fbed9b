using System.Runtime.Intrinsics;

namespace Serving.Inference.Cpu.Kernels;

/// <summary>Sums of four products of bytes. Whole numbers: every instruction set gives the same.</summary>
internal interface IByteDot
{
    /// <summary>To each of eight sums, the products of four weights (0 to 255) with four values (-127 to 127).</summary>
    static abstract Vector256<int> Add(Vector256<int> sums, Vector256<byte> weights, Vector256<sbyte> values);
}

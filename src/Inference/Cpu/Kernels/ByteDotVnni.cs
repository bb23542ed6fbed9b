using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Serving.Inference.Cpu.Kernels;

/// <summary>With AVX-VNNI: one instruction.</summary>
internal readonly struct ByteDotVnni : IByteDot
{
    public static Vector256<int> Add(Vector256<int> sums, Vector256<byte> weights, Vector256<sbyte> values) =>
        AvxVnni.MultiplyWideningAndAdd(sums, weights, values);
}

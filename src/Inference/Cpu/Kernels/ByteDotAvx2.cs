using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Serving.Inference.Cpu.Kernels;

/// <summary>With AVX2: even and odd bytes as 16-bit numbers, because its product of bytes saturates.</summary>
internal readonly struct ByteDotAvx2 : IByteDot
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Add(Vector256<int> sums, Vector256<byte> weights, Vector256<sbyte> values)
    {
        Vector256<short> evenWeights = weights.AsInt16() & Vector256.Create((short)0xFF), oddWeights = weights.AsInt16() >>> 8;
        Vector256<short> evenValues = (values.AsInt16() << 8) >> 8, oddValues = values.AsInt16() >> 8;
        return sums + (Avx2.MultiplyAddAdjacent(evenWeights, evenValues) + Avx2.MultiplyAddAdjacent(oddWeights, oddValues));
    }
}

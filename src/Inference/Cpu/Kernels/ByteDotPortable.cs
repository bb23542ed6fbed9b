using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Serving.Inference.Cpu.Kernels;

/// <summary>On any machine: each of the four bytes of a lane by itself.</summary>
internal readonly struct ByteDotPortable : IByteDot
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Add(Vector256<int> sums, Vector256<byte> weights, Vector256<sbyte> values)
    {
        Vector256<int> w = weights.AsInt32(), v = values.AsInt32(), low = Vector256.Create(0xFF);
        sums += (w & low) * ((v << 24) >> 24);
        sums += ((w >>> 8) & low) * ((v << 16) >> 24);
        sums += ((w >>> 16) & low) * ((v << 8) >> 24);
        return sums + ((w >>> 24) * (v >> 24));
    }
}

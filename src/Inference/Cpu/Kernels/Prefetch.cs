using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Serving.Inference.Cpu.Kernels;

/// <summary>Asks for memory before it is needed; a hint, which may point anywhere.</summary>
internal static unsafe class Prefetch
{
    // Far enough to cover the way to memory at a core's share of its bandwidth.
    private const int StreamBytes = 4096;
    private const int CacheLine = 64;

    /// <summary>How far from what a kernel multiplies lies what it should ask for.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint Distance(in PanelSlice slice) => slice.Next is null ? StreamBytes : (nint)(slice.Next - slice.Weights);

    /// <summary>Asks for 64 to 256 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Lines(byte* position, int bytes)
    {
        if (!Sse.IsSupported)
            return;
        Sse.Prefetch1(position);
        if (bytes > CacheLine)
            Sse.Prefetch1(position + CacheLine);
        if (bytes > 2 * CacheLine)
        {
            Sse.Prefetch1(position + (2 * CacheLine));
            Sse.Prefetch1(position + (3 * CacheLine));
        }
    }
}

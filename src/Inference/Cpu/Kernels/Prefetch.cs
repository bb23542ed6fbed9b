using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Serving.Inference.Cpu.Kernels;

/// <summary>Asks for memory before it is needed; a hint, which may point anywhere.</summary>
internal static unsafe class Prefetch
{
    // Far enough to cover the way to memory at a core's share of its bandwidth.
    private const int Ahead = 4096;
    private const int CacheLine = 64;

    /// <summary>What a kernel that reads <paramref name="bytes"/> at a time (64 to 256) will read some hundred nanoseconds on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Stream(byte* position, int bytes)
    {
        if (!Sse.IsSupported)
            return;
        Sse.Prefetch0(position + Ahead);
        if (bytes > CacheLine)
            Sse.Prefetch0(position + Ahead + CacheLine);
        if (bytes > 2 * CacheLine)
        {
            Sse.Prefetch0(position + Ahead + (2 * CacheLine));
            Sse.Prefetch0(position + Ahead + (3 * CacheLine));
        }
    }

    /// <summary>One or two cache lines.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Lines(byte* position, int bytes)
    {
        if (!Sse.IsSupported)
            return;
        Sse.Prefetch0(position);
        if (bytes > CacheLine)
            Sse.Prefetch0(position + CacheLine);
    }
}

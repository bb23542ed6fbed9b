using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Serving.Inference.Cpu;

/// <summary>What the machine can read: a token of one sequence costs one pass over all weights, so this bounds decoding.</summary>
public static unsafe class MemoryBandwidth
{
    private const long Bytes = 1L << 30;
    private const int ItemBytes = 1 << 20;
    private const int PrefetchBytes = 2048;
    private const int Runs = 7;

    /// <summary>Bytes a second of a plain streaming read of a GiB by all threads; the median of some.</summary>
    /// <param name="threads">0 (default) = one for each processor.</param>
    public static double Measure(int threads = 0)
    {
        WorkerPool pool = WorkerPool.OfThreads(threads);
        using var buffer = new NativeBuffer(Bytes);
        new Span<byte>(buffer.Bytes, (int)(Bytes / 2)).Fill(1);
        new Span<byte>(buffer.Bytes + (Bytes / 2), (int)(Bytes / 2)).Fill(1);
        long sum = 0;
        void Read(int item, int worker) => Interlocked.Add(ref sum, Sum(buffer.Bytes + ((long)item * ItemBytes)));
        var seconds = new double[Runs];
        for (int run = 0; run < Runs; run++)
        {
            long start = Stopwatch.GetTimestamp();
            lock (pool.Gate)
                pool.Run((int)(Bytes / ItemBytes), Read);
            seconds[run] = Stopwatch.GetElapsedTime(start).TotalSeconds;
        }

        Array.Sort(seconds);
        return Bytes / seconds[Runs / 2];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int Sum(byte* memory)
    {
        Vector512<int> a = default, b = default, c = default, d = default;
        for (byte* end = memory + ItemBytes; memory < end; memory += 256)
        {
            if (Sse.IsSupported)
            {
                Sse.Prefetch0(memory + PrefetchBytes);
                Sse.Prefetch0(memory + PrefetchBytes + 64);
                Sse.Prefetch0(memory + PrefetchBytes + 128);
                Sse.Prefetch0(memory + PrefetchBytes + 192);
            }

            a += Vector512.Load((int*)memory);
            b += Vector512.Load((int*)(memory + 64));
            c += Vector512.Load((int*)(memory + 128));
            d += Vector512.Load((int*)(memory + 192));
        }

        return Vector512.Sum((a + b) + (c + d));
    }
}

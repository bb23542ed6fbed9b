namespace Serving.Inference.Cpu;

/// <summary>
/// Weights by content: buffers of equal bytes are one, however many models hold them, whatever they are called there. A frozen
/// block of a grown model is in memory once for all its stages. Buffers here are no longer written to. Thread-safe.
/// </summary>
/// <remarks>Equal means compared byte by byte; a sample only tells what to compare with, so that a model which has nothing in
/// common with others loads as fast as before.</remarks>
internal static class SharedBuffers
{
    private const int Samples = 64;
    private const int SampleBytes = 64;
    private const int CompareBytes = 1 << 30;

    private static readonly Lock Gate = new();
    private static readonly Dictionary<(long Length, int Sample), List<NativeBuffer>> ByContent = [];
    private static readonly Dictionary<NativeBuffer, int> Holders = [];

    /// <summary>Bytes of all buffers, each counted once.</summary>
    public static long Bytes
    {
        get
        {
            lock (Gate)
                return Holders.Keys.Sum(buffer => buffer.Length);
        }
    }

    /// <summary>Gives a buffer away for one of the same bytes: itself, or one that others hold; it is freed then.</summary>
    /// <returns>What to use from now on, until <see cref="Release"/>.</returns>
    public static NativeBuffer Share(NativeBuffer buffer)
    {
        (long, int) key = KeyOf(buffer);
        lock (Gate)
        {
            if (!ByContent.TryGetValue(key, out List<NativeBuffer>? alike))
                ByContent.Add(key, alike = []);
            NativeBuffer? held = alike.Find(other => AreEqual(other, buffer));
            if (held is null)
                alike.Add(held = buffer);
            else
                buffer.Dispose();
            Holders[held] = Holders.GetValueOrDefault(held) + 1;
            return held;
        }
    }

    /// <summary>Lets go of a buffer; the last one to do so frees it.</summary>
    public static void Release(NativeBuffer buffer)
    {
        lock (Gate)
        {
            if (--Holders[buffer] > 0)
                return;
            (long, int) key = KeyOf(buffer);
            Holders.Remove(buffer);
            ByContent[key].Remove(buffer);
            if (ByContent[key].Count == 0)
                ByContent.Remove(key);
            buffer.Dispose();
        }
    }

    private static unsafe (long Length, int Sample) KeyOf(NativeBuffer buffer)
    {
        var sample = new HashCode();
        int bytes = (int)Math.Min(SampleBytes, buffer.Length);
        for (long i = 0; i < Samples; i++)
            sample.AddBytes(new ReadOnlySpan<byte>(buffer.Bytes + ((buffer.Length - bytes) * i / (Samples - 1)), bytes));
        return (buffer.Length, sample.ToHashCode());
    }

    private static unsafe bool AreEqual(NativeBuffer a, NativeBuffer b)
    {
        for (long start = 0; start < a.Length; start += CompareBytes)
        {
            int bytes = (int)Math.Min(CompareBytes, a.Length - start);
            if (!new ReadOnlySpan<byte>(a.Bytes + start, bytes).SequenceEqual(new ReadOnlySpan<byte>(b.Bytes + start, bytes)))
                return false;
        }

        return true;
    }
}

using System.Runtime.InteropServices;

namespace Serving.Inference.Cpu;

/// <summary>Memory outside the managed heap, aligned to cache lines, in huge pages where Linux offers them. Not zeroed.</summary>
internal sealed unsafe class NativeBuffer : IDisposable
{
    private const int CacheLine = 64;

    private void* _memory;

    /// <param name="bytes">At least 1.</param>
    public NativeBuffer(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytes);
        _memory = NativeMemory.AlignedAlloc((nuint)bytes, bytes >= HugePages.Bytes ? (nuint)HugePages.Bytes : CacheLine);
        HugePages.Advise((byte*)_memory, bytes);
        Length = bytes;
    }

    ~NativeBuffer() => Free();

    /// <summary>Its size in bytes.</summary>
    public long Length { get; }

    /// <summary>Its first byte.</summary>
    public byte* Bytes => (byte*)_memory;

    /// <summary>Its first float.</summary>
    public float* Floats => (float*)_memory;

    /// <summary>Room for this many floats.</summary>
    public static NativeBuffer OfFloats(long count) => new(count * sizeof(float));

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        if (_memory is null)
            return;
        NativeMemory.AlignedFree(_memory);
        _memory = null;
    }
}

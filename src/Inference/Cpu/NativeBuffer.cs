using System.Runtime.InteropServices;

namespace Serving.Inference.Cpu;

/// <summary>Memory outside the managed heap, aligned to cache lines, in huge pages where Linux offers them. Not zeroed.</summary>
internal sealed unsafe partial class NativeBuffer : IDisposable
{
    private const int CacheLine = 64;
    private const int HugePage = 2 << 20;
    private const int AdviseHugePages = 14;

    private void* _memory;

    /// <param name="bytes">At least 1.</param>
    public NativeBuffer(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytes);
        bool huge = bytes >= 2 * HugePage;
        _memory = NativeMemory.AlignedAlloc((nuint)bytes, huge ? (nuint)HugePage : CacheLine);

        // Only a hint: where it is refused the memory is as good, if slower to walk through.
        if (huge && OperatingSystem.IsLinux())
            _ = Advise(_memory, (nuint)bytes, AdviseHugePages);
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

    [LibraryImport("libc", EntryPoint = "madvise")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Advise(void* address, nuint length, int advice);
}

using System.Buffers;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Serving.Glyphs.Embeddings;

namespace Serving.Inference.Checkpoints;

/// <summary>
/// A tensor that lies in a file or in memory, row-major and little-endian. Its bytes are read on demand, so that a model is
/// packed piece by piece and never stands in memory twice; reads are positional, thread-safe, and fail with an exception
/// (where a memory map would kill the process) if the file has been cut short meanwhile.
/// </summary>
public sealed class Tensor
{
    // Small enough to stay in the cache on its way from the file to the array.
    private const int ElementsAtOnce = 1 << 18;

    private readonly SafeFileHandle? _file;
    private readonly Lazy<byte[]>? _memory;
    private readonly long _offset;

    private Tensor(string name, DType type, long[] shape, string path, SafeFileHandle? file, Lazy<byte[]>? memory, long offset)
    {
        (Name, DType, Shape, Path) = (name, type, shape, path);
        (_file, _memory, _offset) = (file, memory, offset);
        Elements = 1;
        foreach (long dimension in shape)
            Elements = checked(Elements * dimension);
    }

    /// <summary>Its name in the file.</summary>
    public string Name { get; }

    /// <summary>The element type.</summary>
    public DType DType { get; }

    /// <summary>Its dimensions, slowest first; empty for a scalar.</summary>
    public IReadOnlyList<long> Shape { get; }

    /// <summary>The file it comes from, for messages.</summary>
    public string Path { get; }

    /// <summary>The product of the dimensions.</summary>
    public long Elements { get; }

    /// <summary>Its size in bytes.</summary>
    public long Bytes => Elements * DType.Bits() / 8;

    /// <summary>The <see cref="TensorFingerprint"/> that its file says it has; null = the file says nothing.</summary>
    public string? Fingerprint { get; private init; }

    /// <summary>A tensor inside an open file, whose owner must outlive its use.</summary>
    internal static Tensor InFile(string name, DType type, long[] shape, string path, SafeFileHandle file, long offset, string? fingerprint = null) =>
        new(name, type, shape, path, file, null, offset) { Fingerprint = fingerprint };

    /// <summary>A tensor inside an open file whose elements do not lie one after the other. They are gathered when first read.
    /// </summary>
    internal static Tensor InFile(
        string name, DType type, long[] shape, long[] strides, string path, SafeFileHandle file, long offset)
    {
        var gathered = new Lazy<byte[]>(() =>
            StridedElements.Gather(type.Bits() / 8, shape, strides, span => FileBytes.Read(file, offset, span, path, $"tensor '{name}'")));
        return new Tensor(name, type, shape, path, null, gathered, 0);
    }

    /// <summary>A float32 tensor in memory.</summary>
    public static Tensor InMemory(string name, ReadOnlySpan<float> values, params long[] shape) =>
        InMemory(name, DType.F32, MemoryMarshal.AsBytes(values), shape);

    /// <summary>A tensor in memory, from its little-endian bytes.</summary>
    public static Tensor InMemory(string name, DType type, ReadOnlySpan<byte> bytes, params long[] shape)
    {
        var tensor = new Tensor(name, type, shape, "(memory)", null, new Lazy<byte[]>(bytes.ToArray()), 0);
        ArgumentOutOfRangeException.ThrowIfNotEqual(bytes.Length, tensor.Bytes);
        return tensor;
    }

    /// <summary>The same tensor under another name.</summary>
    internal Tensor Named(string name) => new(name, DType, [.. Shape], Path, _file, _memory, _offset) { Fingerprint = Fingerprint };

    /// <summary>A part of the first dimension: <paramref name="count"/> rows from <paramref name="start"/> on.</summary>
    public Tensor Rows(long start, long count)
    {
        long rowBytes = Bytes / Shape[0];
        return new Tensor(Name, DType, [count, .. Shape.Skip(1)], Path, _file, _memory, _offset + (start * rowBytes));
    }

    /// <summary>The transpose of a matrix; its values are gathered when first read.</summary>
    public Tensor Transposed()
    {
        if (Shape is not [var rows, var columns])
            throw new InvalidOperationException($"'{Name}' is no matrix.");
        var gathered = new Lazy<byte[]>(() =>
            StridedElements.Gather(DType.Bits() / 8, [columns, rows], [1, columns], span => Read(0, span)));
        return new Tensor(Name, DType, [columns, rows], Path, null, gathered, 0);
    }

    /// <summary>Reads bytes, starting <paramref name="start"/> bytes into the tensor.</summary>
    /// <exception cref="CheckpointException">The file could not be read or has become shorter.</exception>
    public void Read(long start, Span<byte> destination)
    {
        if (start < 0 || destination.Length > Bytes - start)
            throw new ArgumentOutOfRangeException(nameof(start), start, $"'{Name}' has {Bytes} bytes.");
        if (_memory is not null)
            _memory.Value.AsSpan((int)(_offset + start), destination.Length).CopyTo(destination);
        else
            FileBytes.Read(_file!, _offset + start, destination, Path, $"tensor '{Name}'");
    }

    /// <summary>Reads elements as float32, starting at element <paramref name="start"/>. F32, BF16 and F16 only; all three
    /// are exact.</summary>
    public void ReadFloats(long start, Span<float> destination)
    {
        if (DType == DType.F32)
        {
            Read(start * 4, MemoryMarshal.AsBytes(destination));
            return;
        }

        ushort[] halves = ArrayPool<ushort>.Shared.Rent(destination.Length);
        Span<ushort> raw = halves.AsSpan(0, destination.Length);
        Read(start * 2, MemoryMarshal.AsBytes(raw));
        if (DType == DType.BF16)
            BFloat16.Widen(raw, destination);
        else
        {
            for (int i = 0; i < raw.Length; i++)
                destination[i] = (float)BitConverter.UInt16BitsToHalf(raw[i]);
        }

        ArrayPool<ushort>.Shared.Return(halves);
    }

    /// <summary>A table of its rows, which are [tokens, dimensions]: in bfloat16 if they are stored so, else in float32.</summary>
    internal FrozenTable ToTable()
    {
        (int rows, int dimensions) = (checked((int)Shape[0]), checked((int)Shape[1]));
        return DType == DType.BF16
            ? FrozenTable.OfBFloat16(rows, dimensions, ToArray<ushort>((start, part) => Read(start * sizeof(ushort), MemoryMarshal.AsBytes(part))))
            : new FrozenTable(rows, dimensions, ToFloats());
    }

    /// <summary>All elements as float32.</summary>
    public float[] ToFloats() => ToArray<float>(ReadFloats);

    private T[] ToArray<T>(ReadPart<T> read)
        where T : unmanaged
    {
        T[] values = HugePages.NewArray<T>(checked((int)Elements));
        try
        {
            _ = Parallel.For(0, (values.Length + ElementsAtOnce - 1) / ElementsAtOnce, part =>
            {
                int start = part * ElementsAtOnce;
                read(start, values.AsSpan(start, Math.Min(ElementsAtOnce, values.Length - start)));
            });
        }
        catch (AggregateException fault) when (fault.InnerException is CheckpointException inner)
        {
            ExceptionDispatchInfo.Throw(inner);
        }

        return values;
    }

    /// <summary>Name, type and shape, as messages show them.</summary>
    public override string ToString() => $"{Name} {DType} [{string.Join(", ", Shape)}]";

    // Fills a part that begins at an element.
    private delegate void ReadPart<T>(long start, Span<T> part);
}

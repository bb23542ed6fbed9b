using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace Serving.Inference.Checkpoints;

/// <summary>
/// An open safetensors file: eight bytes of header length, a JSON header, then the tensors end to end. The whole header is
/// checked when the file is opened, before anything is allocated by its word.
/// </summary>
public sealed class SafetensorsFile : IDisposable
{
    private const int PrefixBytes = 8;
    private const int MaxHeaderBytes = 100_000_000;

    private readonly SafeFileHandle _file;

    private SafetensorsFile(string path, SafeFileHandle file, Dictionary<string, Tensor> tensors)
    {
        (Path, _file, Tensors) = (path, file, tensors);
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>Its tensors by name. Readable until the file is disposed.</summary>
    public IReadOnlyDictionary<string, Tensor> Tensors { get; }

    /// <summary>Opens a file and checks its header.</summary>
    /// <exception cref="CheckpointException">The file is missing, or its header breaks a rule of the format.</exception>
    public static SafetensorsFile Open(string path)
    {
        SafeFileHandle file = FileBytes.Open(path);
        try
        {
            return new SafetensorsFile(path, file, ReadTensors(path, file));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Closes the file; its tensors can no longer be read.</summary>
    public void Dispose() => _file.Dispose();

    private static Dictionary<string, Tensor> ReadTensors(string path, SafeFileHandle file)
    {
        long length = RandomAccess.GetLength(file);
        byte[] header = ReadHeader(path, file, length);
        long dataStart = PrefixBytes + header.Length;
        var tensors = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (SafetensorsEntry entry in SafetensorsHeader.Parse(path, header, length - dataStart))
        {
            tensors.Add(entry.Name,
                Tensor.InFile(entry.Name, entry.DType, entry.Shape, path, file, dataStart + entry.Begin, entry.Fingerprint));
        }

        return tensors;
    }

    private static byte[] ReadHeader(string path, SafeFileHandle file, long length)
    {
        if (length < PrefixBytes)
            throw new CheckpointException(path, "header", $"at least {PrefixBytes} bytes", $"{length}");
        Span<byte> prefix = stackalloc byte[PrefixBytes];
        FileBytes.Read(file, 0, prefix, path, "header");
        ulong claimed = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (claimed > MaxHeaderBytes)
            throw new CheckpointException(path, "header length", $"at most {MaxHeaderBytes} bytes", $"{claimed}");
        long rest = length - PrefixBytes;
        if ((long)claimed > rest)
            throw new CheckpointException(path, "header length", $"at most the file's {rest} bytes", $"{claimed}");
        var header = new byte[claimed];
        FileBytes.Read(file, PrefixBytes, header, path, "header");
        return header;
    }
}

using System.Buffers.Binary;
using System.Text;

namespace Serving.Inference.Tests.Checkpoints;

/// <summary>A folder that lives as long as a test.</summary>
/// <param name="parent">Where; null = among the temporary files.</param>
internal sealed class TempFolder(string? parent = null) : IDisposable
{
    public string Path { get; } = parent is null
        ? Directory.CreateTempSubdirectory("serving-").FullName
        : Directory.CreateDirectory(System.IO.Path.Combine(parent, $"serving-{Guid.NewGuid():N}")).FullName;

    /// <summary>Writes a file, making its folder, and returns its path.</summary>
    public string Write(string name, ReadOnlySpan<byte> bytes)
    {
        string path = System.IO.Path.Combine(Path, name);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    public string Write(string name, string text) => Write(name, Encoding.UTF8.GetBytes(text));

    /// <summary>A safetensors file of a header and data bytes.</summary>
    public string WriteSafetensors(string name, ReadOnlySpan<byte> header, ReadOnlySpan<byte> data)
    {
        var file = new byte[8 + header.Length + data.Length];
        BinaryPrimitives.WriteInt64LittleEndian(file, header.Length);
        header.CopyTo(file.AsSpan(8));
        data.CopyTo(file.AsSpan(8 + header.Length));
        return Write(name, file);
    }

    public string WriteSafetensors(string name, string header, int dataBytes) =>
        WriteSafetensors(name, Encoding.UTF8.GetBytes(header), new byte[dataBytes]);

    /// <summary>Copies a folder's files.</summary>
    public void Copy(string from, string to)
    {
        foreach (string file in Directory.EnumerateFiles(from))
            Write(System.IO.Path.Combine(to, System.IO.Path.GetFileName(file)), File.ReadAllBytes(file));
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

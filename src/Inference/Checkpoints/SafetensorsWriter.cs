using System.Buffers.Binary;
using System.Text.Json;

namespace Serving.Inference.Checkpoints;

/// <summary>
/// Writes a safetensors file: eight bytes of header length, the JSON header padded with spaces to eight bytes, then the
/// tensors' bytes in the order they were added. The file appears under its name only when it is whole.
/// </summary>
public sealed class SafetensorsWriter
{
    private readonly record struct Entry(string Name, string DType, long[] Shape, ReadOnlyMemory<byte> Data);

    private readonly List<Entry> _entries = [];

    /// <summary>Adds a tensor; its bytes are borrowed until <see cref="Save"/> returns.</summary>
    /// <param name="name">Unique in the file.</param>
    /// <param name="dtype">As in the file: <c>F32</c>, <c>BF16</c>, <c>U8</c> …</param>
    /// <param name="shape">Dimensions, outermost first.</param>
    /// <param name="data">Row-major, little-endian.</param>
    public void Add(string name, string dtype, long[] shape, ReadOnlyMemory<byte> data) =>
        _entries.Add(new Entry(name, dtype, shape, data));

    /// <summary>Writes the file beside its place and renames it.</summary>
    public void Save(string path)
    {
        string partial = path + ".partial";
        try
        {
            using (FileStream file = File.Create(partial)) WriteTo(file);
            File.Move(partial, path, overwrite: true);
        }
        catch
        {
            File.Delete(partial);
            throw;
        }
    }

    private void WriteTo(Stream file)
    {
        byte[] header = Header();
        int padded = (header.Length + 7) & ~7;
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, padded);
        file.Write(length);
        file.Write(header);
        for (int i = header.Length; i < padded; i++) file.WriteByte((byte)' ');
        foreach (Entry entry in _entries) file.Write(entry.Data.Span);
    }

    private byte[] Header()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            long begin = 0;
            foreach (Entry entry in _entries)
            {
                json.WriteStartObject(entry.Name);
                json.WriteString("dtype", entry.DType);
                WriteNumbers(json, "shape", entry.Shape);
                WriteNumbers(json, "data_offsets", [begin, begin + entry.Data.Length]);
                json.WriteEndObject();
                begin += entry.Data.Length;
            }

            json.WriteEndObject();
        }

        return buffer.ToArray();
    }

    private static void WriteNumbers(Utf8JsonWriter json, string name, long[] values)
    {
        json.WriteStartArray(name);
        foreach (long value in values) json.WriteNumberValue(value);
        json.WriteEndArray();
    }
}

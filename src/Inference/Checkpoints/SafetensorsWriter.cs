using System.Buffers;
using System.Buffers.Binary;
using System.Text.Json;
using Serving.Glyphs.Embeddings;

namespace Serving.Inference.Checkpoints;

/// <summary>
/// Writes a safetensors file: eight bytes of header length, the JSON header padded with spaces to eight bytes, then the
/// tensors' bytes in the order they were added. The header's metadata holds each tensor's <see cref="TensorFingerprint"/> under its
/// name, so that damage shows later. The file appears under its name only when it is whole, and no tensor is ever in memory as a
/// whole for it.
/// </summary>
public sealed class SafetensorsWriter
{
    private const int CopyBytes = 1 << 20;
    private const int PrefixBytes = sizeof(long);

    // As long as a real one: the header is written twice, before the tensors and when they have been hashed.
    private static readonly string NoFingerprint = "sha256:" + new string('0', 64);

    private sealed record Entry(string Name, DType DType, long[] Shape, long Bytes, Action<Stream> Write)
    {
        public string Fingerprint { get; set; } = NoFingerprint;
    }

    private readonly List<Entry> _entries = [];

    /// <summary>Bytes of all tensors.</summary>
    public long Bytes => _entries.Sum(entry => entry.Bytes);

    /// <summary>Adds a tensor that is written when the file is.</summary>
    /// <param name="name">Unique in the file.</param>
    /// <param name="dtype">The element type.</param>
    /// <param name="shape">Dimensions, outermost first.</param>
    /// <param name="write">Writes the elements, row-major and little-endian: as many bytes as type and shape say.</param>
    public void Add(string name, DType dtype, long[] shape, Action<Stream> write)
    {
        long bytes = shape.Aggregate((long)dtype.Bits(), (product, dimension) => checked(product * dimension)) / 8;
        _entries.Add(new Entry(name, dtype, shape, bytes, write));
    }

    /// <summary>Adds a tensor; its bytes are borrowed until <see cref="Save"/> returns.</summary>
    public void Add(string name, DType dtype, long[] shape, ReadOnlyMemory<byte> data) =>
        Add(name, dtype, shape, file => file.Write(data.Span));

    /// <summary>Adds a copy of a tensor; it must be readable until <see cref="Save"/> returns.</summary>
    public void Add(Tensor tensor) => Add(tensor.Name, tensor.DType, [.. tensor.Shape], file => Copy(tensor, file));

    /// <summary>The fingerprint of a tensor that has been saved.</summary>
    public string FingerprintOf(string name) => _entries.First(entry => entry.Name == name).Fingerprint;

    /// <summary>Writes the file beside its place and renames it.</summary>
    /// <param name="path">Its place; a file that is there is replaced.</param>
    /// <param name="progress">Told the bytes of tensors written, and of all.</param>
    public void Save(string path, IProgress<(long Done, long Total)>? progress = null)
    {
        string partial = path + ".partial";
        try
        {
            using (FileStream file = File.Create(partial))
            {
                WriteTo(file, progress);
                file.Flush(flushToDisk: true);
            }

            File.Move(partial, path, overwrite: true);
        }
        catch
        {
            File.Delete(partial);
            throw;
        }
    }

    private void WriteTo(FileStream file, IProgress<(long Done, long Total)>? progress)
    {
        WriteHeader(file);
        (long done, long total) = (0, Bytes);
        foreach (Entry entry in _entries)
        {
            using var fingerprint = new TensorFingerprint($"{entry.DType}", entry.Shape);
            using var tensor = new TensorStream(file, fingerprint, progress is null ? null : bytes => progress.Report((done + bytes, total)));
            entry.Write(tensor);
            if (tensor.Length != entry.Bytes)
                throw new InvalidOperationException($"'{entry.Name}' has {entry.Bytes} bytes; {tensor.Length} were written.");
            entry.Fingerprint = fingerprint.Finish();
            done += entry.Bytes;
        }

        file.Position = 0;
        WriteHeader(file);
    }

    private void WriteHeader(FileStream file)
    {
        byte[] header = Header();
        int padded = (header.Length + 7) & ~7;
        Span<byte> length = stackalloc byte[PrefixBytes];
        BinaryPrimitives.WriteInt64LittleEndian(length, padded);
        file.Write(length);
        file.Write(header);
        for (int i = header.Length; i < padded; i++) file.WriteByte((byte)' ');
    }

    private static void Copy(Tensor tensor, Stream file)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(CopyBytes);
        for (long start = 0; start < tensor.Bytes; start += CopyBytes)
        {
            Span<byte> part = buffer.AsSpan(0, (int)Math.Min(CopyBytes, tensor.Bytes - start));
            tensor.Read(start, part);
            file.Write(part);
        }

        ArrayPool<byte>.Shared.Return(buffer);
    }

    private byte[] Header()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteStartObject("__metadata__");
            json.WriteString("format", "pt"); // whose arrays they are, by the habit of transformers, which refuses metadata without it
            foreach (Entry entry in _entries) json.WriteString(SafetensorsHeader.FingerprintKey(entry.Name), entry.Fingerprint);
            json.WriteEndObject();
            long begin = 0;
            foreach (Entry entry in _entries)
            {
                json.WriteStartObject(entry.Name);
                json.WriteString("dtype", entry.DType.ToString());
                WriteNumbers(json, "shape", entry.Shape);
                WriteNumbers(json, "data_offsets", [begin, begin + entry.Bytes]);
                json.WriteEndObject();
                begin += entry.Bytes;
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

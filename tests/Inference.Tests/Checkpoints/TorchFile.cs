using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Serving.Inference.Tests.Checkpoints;

/// <summary>Assembles pickles opcode by opcode, and the archives around them.</summary>
internal static class TorchFile
{
    public static byte[] Empty { get; } = Pickle(OrderedDict);

    public static byte[] OrderedDict => [.. Global("collections", "OrderedDict"), .. ")R"u8];

    /// <summary>A whole pickle: protocol 2, the parts, STOP.</summary>
    public static byte[] Pickle(params byte[][] parts) => [0x80, 2, .. parts.SelectMany(part => part), (byte)'.'];

    /// <summary>A pickle of a dictionary with one item, 'a'.</summary>
    public static byte[] StateDict(params byte[][] value) => Pickle(["}"u8.ToArray(), Text("a"), .. value, "s"u8.ToArray()]);

    public static byte[] Op(string letters) => Encoding.Latin1.GetBytes(letters);

    public static byte[] Text(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        return [(byte)'X', .. Bytes(bytes.Length), .. bytes];
    }

    public static byte[] Int(int value) => [(byte)'J', .. Bytes(value)];

    public static byte[] Long(long value)
    {
        var bytes = new byte[10];
        (bytes[0], bytes[1]) = (0x8a, 8);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(2), value);
        return bytes;
    }

    public static byte[] Global(string module, string name) => Encoding.ASCII.GetBytes($"c{module}\n{name}\n");

    public static byte[] Tuple(params byte[][] items) => [(byte)'(', .. items.SelectMany(item => item), (byte)'t'];

    public static byte[] Numbers(params long[] values) => Tuple([.. values.Select(Long)]);

    public static byte[] Storage(string type, string key, long elements) =>
        [.. Tuple(Text("storage"), Global("torch", type), Text(key), Text("cpu"), Long(elements)), (byte)'Q'];

    public static byte[] Tensor(byte[] storage, long offset, byte[] shape, byte[] strides) =>
    [
        .. Global("torch._utils", "_rebuild_tensor_v2"),
        .. Tuple(storage, Long(offset), shape, strides, [0x89], OrderedDict),
        (byte)'R',
    ];

    /// <summary>The entries of an ordinary archive: the pickle, and storage 0 of <paramref name="dataBytes"/> bytes.</summary>
    public static Dictionary<string, byte[]> Entries(byte[] pickle, int dataBytes = 0) => new()
    {
        ["root/data.pkl"] = pickle,
        ["root/byteorder"] = "little"u8.ToArray(),
        ["root/data/0"] = [.. Enumerable.Range(0, dataBytes).Select(i => (byte)(i % 64))],
        ["root/version"] = "3\n"u8.ToArray(),
    };

    public static byte[] Archive(
        IEnumerable<KeyValuePair<string, byte[]>> entries, CompressionLevel compression = CompressionLevel.NoCompression)
    {
        var bytes = new MemoryStream();
        using (var archive = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach ((string name, byte[] content) in entries)
            {
                using Stream entry = archive.CreateEntry(name, compression).Open();
                entry.Write(content);
            }
        }

        return bytes.ToArray();
    }

    private static byte[] Bytes(int value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        return bytes;
    }
}

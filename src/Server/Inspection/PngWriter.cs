using System.Buffers.Binary;
using System.IO.Compression;

namespace Serving.Server.Inspection;

/// <summary>Writes black-and-white pictures as PNG (ISO/IEC 15948): one bit a pixel, 0 is black.</summary>
internal static class PngWriter
{
    private static readonly uint[] CrcOfByte = [.. Enumerable.Range(0, 256).Select(value =>
    {
        uint crc = (uint)value;
        for (int bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? 0xEDB88320 ^ (crc >> 1) : crc >> 1;
        return crc;
    })];

    /// <param name="ink">[height · width], true is black.</param>
    /// <param name="width">Pixels a row.</param>
    /// <param name="scale">Side of the square that a pixel becomes.</param>
    public static byte[] Write(bool[] ink, int width, int scale)
    {
        int height = ink.Length / width;
        byte[] header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width * scale);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height * scale);
        header[8] = 1; // bits a pixel; then grey scale, deflate, no filters, not interlaced
        using var png = new MemoryStream();
        png.Write([0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A]);
        WriteChunk(png, "IHDR"u8, header);
        WriteChunk(png, "IDAT"u8, Compress(ink, width, scale));
        WriteChunk(png, "IEND"u8, []);
        return png.ToArray();
    }

    private static byte[] Compress(bool[] ink, int width, int scale)
    {
        using var compressed = new MemoryStream();
        using (var zlib = new ZLibStream(compressed, CompressionLevel.Optimal))
        {
            var line = new byte[1 + ((width * scale) + 7) / 8]; // the first byte names the filter: none
            for (int y = 0; y < ink.Length / width; y++)
            {
                line.AsSpan(1).Clear();
                for (int x = 0; x < width * scale; x++)
                    if (!ink[(y * width) + (x / scale)]) line[1 + (x >> 3)] |= (byte)(0x80 >> (x & 7));
                for (int i = 0; i < scale; i++) zlib.Write(line);
            }
        }

        return compressed.ToArray();
    }

    private static void WriteChunk(MemoryStream png, ReadOnlySpan<byte> type, ReadOnlySpan<byte> data)
    {
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        png.Write(number);
        png.Write(type);
        png.Write(data);
        uint crc = uint.MaxValue;
        foreach (byte value in type) crc = CrcOfByte[(byte)(crc ^ value)] ^ (crc >> 8);
        foreach (byte value in data) crc = CrcOfByte[(byte)(crc ^ value)] ^ (crc >> 8);
        BinaryPrimitives.WriteUInt32BigEndian(number, ~crc);
        png.Write(number);
    }
}

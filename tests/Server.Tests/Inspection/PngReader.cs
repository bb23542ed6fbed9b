using System.Buffers.Binary;
using System.IO.Compression;

namespace Serving.Server.Tests.Inspection;

/// <summary>Reads black-and-white PNG pictures as ISO/IEC 15948 says, checking every length and check sum.</summary>
internal static class PngReader
{
    /// <returns>[height, width], true where black.</returns>
    public static bool[,] Read(byte[] png)
    {
        Assert.Equal("89504E470D0A1A0A", Convert.ToHexString(png, 0, 8));
        ReadOnlySpan<byte> rest = png.AsSpan(8);
        using var data = new MemoryStream();
        (int width, int height) = (0, 0);
        string type = "";
        while (type != "IEND")
        {
            int length = BinaryPrimitives.ReadInt32BigEndian(rest);
            type = System.Text.Encoding.ASCII.GetString(rest.Slice(4, 4));
            ReadOnlySpan<byte> content = rest.Slice(8, length);
            Assert.Equal(Crc(rest.Slice(4, 4 + length)), BinaryPrimitives.ReadUInt32BigEndian(rest[(8 + length)..]));
            if (type == "IHDR")
            {
                (width, height) = (BinaryPrimitives.ReadInt32BigEndian(content), BinaryPrimitives.ReadInt32BigEndian(content[4..]));
                Assert.Equal("0100000000", Convert.ToHexString(content[8..])); // one bit, grey
            }
            else if (type == "IDAT")
                data.Write(content);
            rest = rest[(12 + length)..];
        }

        Assert.True(rest.IsEmpty);
        return Unpack(data, width, height);
    }

    // The check sum by its definition, bit after bit.
    private static uint Crc(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in bytes)
        {
            for (int bit = 0; bit < 8; bit++)
            {
                bool isOdd = ((crc ^ (uint)(value >> bit)) & 1) != 0;
                crc = isOdd ? (crc >> 1) ^ 0xEDB88320 : crc >> 1;
            }
        }

        return ~crc;
    }

    private static bool[,] Unpack(MemoryStream data, int width, int height)
    {
        data.Position = 0;
        using var zlib = new ZLibStream(data, CompressionMode.Decompress);
        var ink = new bool[height, width];
        var line = new byte[1 + ((width + 7) / 8)];
        for (int y = 0; y < height; y++)
        {
            zlib.ReadExactly(line);
            Assert.Equal(0, line[0]);
            for (int x = 0; x < width; x++) ink[y, x] = (line[1 + (x / 8)] >> (7 - (x % 8)) & 1) == 0;
        }

        Assert.Equal(-1, zlib.ReadByte());
        return ink;
    }
}

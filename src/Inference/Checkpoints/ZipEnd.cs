using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace Serving.Inference.Checkpoints;

/// <summary>The last record of a zip archive: where its directory lies. Only one disk, no comment, and nothing between or
/// after the records.</summary>
internal readonly record struct ZipEnd(long Entries, long DirectoryOffset, long DirectoryBytes)
{
    private const int EndBytes = 22;
    private const int LocatorBytes = 20;
    private const int WideEndBytes = 56;
    private const int TarMagicOffset = 257;
    private const string Remedy = "Save the model again with a current PyTorch, or as safetensors.";

    /// <summary>Reads it, and that of a zip64 archive before it.</summary>
    public static ZipEnd Read(string path, SafeFileHandle file)
    {
        long length = RandomAccess.GetLength(file);
        RefuseOther(path, file, length);
        Span<byte> end = stackalloc byte[EndBytes];
        long at = length - EndBytes;
        FileBytes.Read(file, at, end, path, "archive end");
        if (!end.StartsWith("PK\x5\x6"u8) || U16(end, 4) != 0 || U16(end, 6) != 0 || U16(end, 20) != 0)
            throw new CheckpointException(path, "archive end", "the end of a zip archive", "something else", Remedy);
        var narrow = new ZipEnd(U16(end, 10), U32(end, 16), U32(end, 12));
        (ZipEnd found, long limit) = ReadWide(path, file, at) ?? (narrow, at);
        bool agrees = (narrow.Entries == found.Entries || narrow.Entries == ushort.MaxValue)
            && (narrow.DirectoryOffset == found.DirectoryOffset || narrow.DirectoryOffset == uint.MaxValue)
            && (narrow.DirectoryBytes == found.DirectoryBytes || narrow.DirectoryBytes == uint.MaxValue);
        bool fits = found.DirectoryOffset >= 0 && found.DirectoryOffset <= limit
            && found.DirectoryBytes == limit - found.DirectoryOffset;
        return agrees && fits
            ? found
            : throw new CheckpointException(path, "archive end", $"a directory that ends at byte {limit}",
                $"{found.DirectoryBytes} bytes at {found.DirectoryOffset}");
    }

    private static (ZipEnd End, long Limit)? ReadWide(string path, SafeFileHandle file, long endOffset)
    {
        if (endOffset < LocatorBytes + WideEndBytes)
            return null;
        Span<byte> records = stackalloc byte[WideEndBytes + LocatorBytes];
        long at = endOffset - records.Length;
        FileBytes.Read(file, at, records, path, "archive end");
        Span<byte> locator = records[WideEndBytes..];
        if (!locator.StartsWith("PK\x6\x7"u8))
            return null;
        bool whole = records.StartsWith("PK\x6\x6"u8) && U32(locator, 4) == 0 && I64(locator, 8) == at && U32(locator, 16) <= 1
            && I64(records, 4) == WideEndBytes - 12 && U32(records, 16) == 0 && U32(records, 20) == 0;
        return whole
            ? (new ZipEnd(I64(records, 32), I64(records, 48), I64(records, 40)), at)
            : throw new CheckpointException(path, "archive end", "a zip64 record directly before the end", "another");
    }

    private static void RefuseOther(string path, SafeFileHandle file, long length)
    {
        Span<byte> start = stackalloc byte[(int)Math.Min(length, TarMagicOffset + 5)];
        FileBytes.Read(file, 0, start, path, "archive");
        if (length >= EndBytes && (start.StartsWith("PK\x3\x4"u8) || start.StartsWith("PK\x5\x6"u8)))
            return;
        string found = start.Length > TarMagicOffset && start[TarMagicOffset..].StartsWith("ustar"u8)
            ? "a tar file, PyTorch's oldest format"
            : start is [0x80, ..] ? "a bare pickle, PyTorch's old format" : "something else";
        throw new CheckpointException(path, "archive", "a zip archive as torch.save writes it", found, Remedy);
    }

    private static ushort U16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private static uint U32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    private static long I64(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadInt64LittleEndian(bytes[at..]);
}

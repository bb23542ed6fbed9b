using System.Buffers.Binary;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Serving.Inference.Checkpoints;

/// <summary>
/// Lists a zip archive that holds uncompressed entries in one root folder, and nothing else: the entries follow each other
/// from the file's first byte to the directory at its end, so that no two readers can see two different archives. Names are
/// only ever looked up; no entry is written anywhere.
/// </summary>
internal sealed class StoredZip
{
    private const int MaxDirectoryBytes = 64 << 20;
    private const int MaxNameBytes = 1024;
    private const int LocalBytes = 30;
    private const int CentralBytes = 46;
    private const ushort Zip64Field = 1;
    private const ushort Encrypted = 1 | (1 << 6) | (1 << 13);
    private const ushort SizesFollow = 1 << 3;

    private readonly string _path;
    private readonly SafeFileHandle _file;
    private readonly List<Listed> _listed = [];
    private string? _root;

    private StoredZip(string path, SafeFileHandle file) => (_path, _file) = (path, file);

    private readonly record struct Listed(string Name, ushort Flags, long Header, long Bytes);

    /// <summary>Reads and checks the directory.</summary>
    /// <returns>The entries by name, without the root folder.</returns>
    public static Dictionary<string, StoredEntry> Read(string path, SafeFileHandle file) => new StoredZip(path, file).Read();

    private Dictionary<string, StoredEntry> Read()
    {
        ZipEnd end = ZipEnd.Read(_path, _file);
        if (end.DirectoryBytes > MaxDirectoryBytes)
            throw Bad("archive directory", $"at most {MaxDirectoryBytes} bytes", $"{end.DirectoryBytes}");
        var directory = new byte[end.DirectoryBytes];
        FileBytes.Read(_file, end.DirectoryOffset, directory, _path, "archive directory");
        ReadDirectory(directory, end.Entries);
        return Locate(end.DirectoryOffset);
    }

    private void ReadDirectory(ReadOnlySpan<byte> directory, long entries)
    {
        while (directory.Length > 0)
        {
            if (directory.Length < CentralBytes || !directory.StartsWith("PK\x1\x2"u8))
                throw Bad("archive directory", "an entry", $"other bytes after {_listed.Count} entries");
            (int name, int extra, int comment) = (U16(directory, 28), U16(directory, 30), U16(directory, 32));
            int length = CentralBytes + name + extra + comment;
            if (directory.Length < length || name > MaxNameBytes || comment > 0)
                throw Bad($"archive entry {_listed.Count}", "a name of at most 1 KiB inside the directory, and no comment", "another");
            _listed.Add(ReadEntry(directory[..length], name, extra));
            directory = directory[length..];
        }

        if (_listed.Count != entries)
            throw Bad("archive directory", $"{entries} entries, as its end says", $"{_listed.Count}");
    }

    private Listed ReadEntry(ReadOnlySpan<byte> entry, int nameBytes, int extraBytes)
    {
        string name = ReadName(entry.Slice(CentralBytes, nameBytes));
        ushort flags = U16(entry, 8);
        if (U16(entry, 10) != 0 || (flags & Encrypted) != 0)
            throw Bad($"archive entry '{name}'", "plain stored bytes", $"compression method {U16(entry, 10)}, flags 0x{flags:x4}");
        (long packed, long bytes, long header) = (U32(entry, 20), U32(entry, 24), U32(entry, 42));
        ReadOnlySpan<byte> extra = entry.Slice(CentralBytes + nameBytes, extraBytes);
        Widen(name, extra, ref bytes, ref packed, ref header);
        return packed == bytes && header >= 0 && bytes >= 0 && U16(entry, 34) == 0
            ? new Listed(name, flags, header, bytes)
            : throw Bad($"archive entry '{name}'", "equal sizes, stored and original", $"{packed} and {bytes}");
    }

    // Sizes past 4 GiB stand in an extra field, in this order and only those that do not fit.
    private void Widen(string name, ReadOnlySpan<byte> extra, ref long bytes, ref long packed, ref long header)
    {
        while (extra.Length > 0)
        {
            if (extra.Length < 4 || extra.Length - 4 < U16(extra, 2))
                throw Bad($"archive entry '{name}'", "whole extra fields", "one that is cut");
            ReadOnlySpan<byte> field = extra.Slice(4, U16(extra, 2));
            if (U16(extra, 0) == Zip64Field)
            {
                Next(ref field, ref bytes);
                Next(ref field, ref packed);
                Next(ref field, ref header);
            }

            extra = extra[(4 + U16(extra, 2))..];
        }

        static void Next(ref ReadOnlySpan<byte> field, ref long value)
        {
            if (value != uint.MaxValue || field.Length < sizeof(long))
                return;
            value = BinaryPrimitives.ReadInt64LittleEndian(field);
            field = field[sizeof(long)..];
        }
    }

    private string ReadName(ReadOnlySpan<byte> bytes)
    {
        string name;
        try
        {
            name = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw new CheckpointException(_path, $"archive entry {_listed.Count}", "a name in UTF-8", "invalid bytes", inner: e);
        }

        string[] parts = name.Split('/');
        bool safe = parts.Length > 1 && !parts.Any(part => part is "" or "." or "..")
            && !name.Any(c => char.IsControl(c) || c is '\\' or ':');
        if (!safe)
            throw Bad($"archive entry {_listed.Count}", "a relative name inside one folder", $"'{Printable(name)}'");
        _root ??= parts[0];
        return parts[0] == _root ? name : throw Bad($"archive entry '{name}'", $"it in the folder '{_root}'", "another folder");
    }

    private Dictionary<string, StoredEntry> Locate(long directoryOffset)
    {
        var entries = new Dictionary<string, StoredEntry>(StringComparer.Ordinal);
        _listed.Sort((a, b) => a.Header.CompareTo(b.Header));
        for (int i = 0; i < _listed.Count; i++)
        {
            Listed listed = _listed[i];
            long limit = i + 1 < _listed.Count ? _listed[i + 1].Header : directoryOffset;
            if (i == 0 && listed.Header != 0)
                throw Bad($"archive entry '{listed.Name}'", "it at the start of the file", $"offset {listed.Header}");
            StoredEntry entry = Locate(listed, limit);
            if (!entries.TryAdd(listed.Name[(_root!.Length + 1)..], entry))
                throw Bad($"archive entry '{listed.Name}'", "one of this name", "two");
        }

        return entries;
    }

    private StoredEntry Locate(Listed listed, long limit)
    {
        string subject = $"archive entry '{listed.Name}'";
        byte[] name = Encoding.UTF8.GetBytes(listed.Name);
        var local = new byte[LocalBytes + name.Length];
        if (listed.Header > limit - local.Length)
            throw Bad(subject, "room for its header", $"{limit - listed.Header} bytes");
        FileBytes.Read(_file, listed.Header, local, _path, subject);
        bool sizesFollow = (listed.Flags & SizesFollow) != 0;
        bool agrees = local.AsSpan().StartsWith("PK\x3\x4"u8) && U16(local, 6) == listed.Flags && U16(local, 8) == 0
            && U16(local, 26) == name.Length && local.AsSpan(LocalBytes).SequenceEqual(name)
            && SizeAgrees(U32(local, 18), listed.Bytes, sizesFollow) && SizeAgrees(U32(local, 22), listed.Bytes, sizesFollow);
        if (!agrees)
            throw Bad(subject, "a header that agrees with the directory", "another");
        long offset = listed.Header + local.Length + U16(local, 28);
        return listed.Bytes <= limit - offset
            ? new StoredEntry(offset, listed.Bytes)
            : throw Bad(subject, $"{listed.Bytes} bytes before the next entry", $"{limit - offset}");
    }

    private static bool SizeAgrees(uint local, long listed, bool sizesFollow) =>
        local == listed || local == uint.MaxValue || (local == 0 && sizesFollow);

    private static string Printable(string name) => new([.. name.Take(80).Select(c => char.IsControl(c) ? '?' : c)]);

    private static ushort U16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private static uint U32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    private CheckpointException Bad(string subject, string expected, string found) => new(_path, subject, expected, found);
}

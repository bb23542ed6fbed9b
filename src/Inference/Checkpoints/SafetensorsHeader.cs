using System.Text.Json;
using System.Text.Unicode;

namespace Serving.Inference.Checkpoints;

/// <summary>
/// Reads a safetensors header, as strictly as the format's own library and in places more so: a duplicate key, an unknown
/// field or a control character in a name is refused, because two readers could see two different files in it.
/// </summary>
internal ref struct SafetensorsHeader
{
    private const int MaxTensors = 65_536;
    private const int MaxNameBytes = 1024;
    private const int MaxRank = 8;
    private const string FingerprintPrefix = "fingerprint:";

    private readonly string _path;
    private readonly Dictionary<string, string> _metadata = new(StringComparer.Ordinal);
    private Utf8JsonReader _json;

    private SafetensorsHeader(string path, ReadOnlySpan<byte> header)
    {
        _path = path;
        _json = new Utf8JsonReader(header);
    }

    /// <summary>Where the metadata hold a tensor's fingerprint.</summary>
    public static string FingerprintKey(string tensor) => FingerprintPrefix + tensor;

    /// <summary>Parses and checks a header.</summary>
    /// <param name="path">The file, for messages.</param>
    /// <param name="header">The header's bytes.</param>
    /// <param name="dataBytes">How many bytes follow it; the tensors must fill them exactly.</param>
    /// <returns>The tensors in the order of their data.</returns>
    public static List<SafetensorsEntry> Parse(string path, ReadOnlySpan<byte> header, long dataBytes)
    {
        ReadOnlySpan<byte> json = header.TrimEnd((byte)' ');
        if (json.IsEmpty || json[0] != '{')
            throw new CheckpointException(path, "header", "a JSON object that starts with '{'", "something else");
        if (!Utf8.IsValid(json))
            throw new CheckpointException(path, "header", "UTF-8", "invalid bytes");
        try
        {
            List<SafetensorsEntry> entries = new SafetensorsHeader(path, json).ReadObject();
            CheckLayout(path, entries, dataBytes);
            return entries;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string with a lone surrogate, which only shows when it is decoded.
            throw new CheckpointException(path, "header", "JSON in valid Unicode", e.Message.TrimEnd('.'), inner: e);
        }
    }

    private List<SafetensorsEntry> ReadObject()
    {
        var entries = new List<SafetensorsEntry>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        _json.Read();
        while (NextProperty())
        {
            string name = ReadName();
            if (!names.Add(name))
                throw Bad($"key '{name}'", "one of it", "two");
            if (name == "__metadata__")
                ReadMetadata();
            else
                entries.Add(ReadEntry(name));
            if (entries.Count > MaxTensors)
                throw Bad("header", $"at most {MaxTensors} tensors", "more");
        }

        _json.Read();
        entries.Sort((a, b) => a.Begin != b.Begin ? a.Begin.CompareTo(b.Begin) : a.End.CompareTo(b.End));
        AddFingerprints(entries);
        return entries;
    }

    // All tensors or none: a damaged key must not leave one without.
    private readonly void AddFingerprints(List<SafetensorsEntry> entries)
    {
        if (!_metadata.Keys.Any(key => key.StartsWith(FingerprintPrefix, StringComparison.Ordinal)))
            return;
        for (int i = 0; i < entries.Count; i++)
        {
            string key = FingerprintKey(entries[i].Name);
            if (!_metadata.TryGetValue(key, out string? fingerprint))
                throw Bad($"__metadata__ key '{key}'", "one for each tensor", "none");
            entries[i] = entries[i] with { Fingerprint = fingerprint };
        }
    }

    private string ReadName()
    {
        int bytes = _json.ValueSpan.Length;
        if (bytes > MaxNameBytes)
            throw Bad("a tensor's name", $"at most {MaxNameBytes} bytes", $"{bytes}");
        string name = _json.GetString()!;
        return name.Any(char.IsControl) ? throw Bad("a tensor's name", "no control characters", "one") : name;
    }

    private void ReadMetadata()
    {
        Expect(JsonTokenType.StartObject, "__metadata__", "an object of strings");
        while (NextProperty())
        {
            string key = _json.GetString()!;
            Expect(JsonTokenType.String, $"__metadata__ key '{key}'", "a string");
            if (!_metadata.TryAdd(key, _json.GetString()!))
                throw Bad($"__metadata__ key '{key}'", "one of it", "two");
        }
    }

    private SafetensorsEntry ReadEntry(string name)
    {
        (DType? type, long[]? shape, long[]? offsets) = (null, null, null);
        Expect(JsonTokenType.StartObject, $"tensor '{name}'", "an object");
        while (NextProperty())
        {
            string field = _json.GetString()!;
            bool again = (field, type, shape, offsets)
                is ("dtype", not null, _, _) or ("shape", _, not null, _) or ("data_offsets", _, _, not null);
            if (again)
                throw Bad($"tensor '{name}'", $"one '{field}'", "two");
            if (field == "dtype")
                type = ReadDType(name);
            else if (field == "shape")
                shape = ReadNumbers(name, field, MaxRank);
            else if (field == "data_offsets")
                offsets = ReadNumbers(name, field, 2);
            else
                throw Bad($"tensor '{name}'", "dtype, shape and data_offsets", $"a field '{field}'");
        }

        if (type is null || shape is null || offsets is not [var begin, var end])
            throw Bad($"tensor '{name}'", "dtype, shape and two data_offsets", "fewer");
        CheckSize(name, type.Value, shape, begin, end);
        return new SafetensorsEntry(name, type.Value, shape, begin, end);
    }

    private DType ReadDType(string name)
    {
        Expect(JsonTokenType.String, $"tensor '{name}' dtype", "a string");
        string text = _json.GetString()!;

        // The name itself and nothing else that Enum.Parse takes, such as "3" or "F32,F16".
        return Enum.TryParse(text, out DType type) && type.ToString() == text
            ? type
            : throw Bad($"tensor '{name}' dtype", $"one of {string.Join(", ", Enum.GetNames<DType>())}", $"'{text}'");
    }

    private long[] ReadNumbers(string name, string field, int limit)
    {
        Expect(JsonTokenType.StartArray, $"tensor '{name}' {field}", "an array");
        var numbers = new List<long>(limit);
        while (_json.Read() && _json.TokenType != JsonTokenType.EndArray)
        {
            if (_json.TokenType != JsonTokenType.Number || _json.ValueSpan[0] == '-' || !_json.TryGetInt64(out long number))
                throw Bad($"tensor '{name}' {field}", "whole numbers from 0 to 2^63 - 1", "something else");
            if (numbers.Count == limit)
                throw Bad($"tensor '{name}' {field}", $"at most {limit} numbers", "more");
            numbers.Add(number);
        }

        return [.. numbers];
    }

    private readonly void CheckSize(string name, DType type, long[] shape, long begin, long end)
    {
        UInt128 bits = (UInt128)type.Bits();
        try
        {
            foreach (long dimension in shape)
                bits = checked(bits * (ulong)dimension);
        }
        catch (OverflowException e)
        {
            throw new CheckpointException(_path, $"tensor '{name}'", "a size that can exist",
                $"{type} [{string.Join(", ", shape)}]", inner: e);
        }

        if (bits % 8 != 0)
            throw Bad($"tensor '{name}'", "a whole number of bytes", $"{bits} bits");
        if (end < begin || bits / 8 != (UInt128)(end - begin))
        {
            throw Bad($"tensor '{name}'", $"{bits / 8} bytes for {type} [{string.Join(", ", shape)}]",
                $"offsets {begin} to {end}");
        }
    }

    private static void CheckLayout(string path, List<SafetensorsEntry> entries, long dataBytes)
    {
        long position = 0;
        foreach (SafetensorsEntry entry in entries)
        {
            if (entry.Begin != position)
            {
                throw new CheckpointException(path, $"tensor '{entry.Name}'",
                    $"to begin at offset {position}, where the one before it ends", $"{entry.Begin}");
            }

            position = entry.End;
        }

        if (position != dataBytes)
            throw new CheckpointException(path, "data", $"{position} bytes, where the last tensor ends", $"{dataBytes}");
    }

    private bool NextProperty() => _json.Read() && _json.TokenType == JsonTokenType.PropertyName;

    private void Expect(JsonTokenType type, string subject, string expected)
    {
        if (!_json.Read() || _json.TokenType != type)
            throw Bad(subject, expected, $"{_json.TokenType}");
    }

    private readonly CheckpointException Bad(string subject, string expected, string found) =>
        new(_path, subject, expected, found);
}

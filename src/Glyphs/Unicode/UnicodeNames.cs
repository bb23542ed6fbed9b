using System.IO.Compression;
using System.Text;

namespace Serving.Glyphs.Unicode;

/// <summary>The names of characters and of the blocks they stand in, from the Unicode Character Database. Immutable.</summary>
/// <remarks>
/// Layout of the file before compression, integers 7-bit encoded: magic, version; blocks as (first, last, name); ranges whose
/// names end in the code point, or are spelled from jamo, as (first, last, prefix); runs of named code points as (gap to the
/// last run's end, length); the names of all runs, one a line.
/// </remarks>
public sealed class UnicodeNames
{
    private const string Magic = "unicode-names-1";
    private const int HangulFirst = 0xAC00;
    private const int HangulLast = 0xD7A3;

    private readonly CodePointRange[] _blocks;
    private readonly CodePointRange[] _families;
    private readonly (int First, int Length, int Index)[] _runs;
    private readonly string _text;
    private readonly int[] _starts; // of each name in _text, and the end of the last

    private UnicodeNames(BinaryReader reader)
    {
        if (reader.ReadString() != Magic) throw new InvalidDataException($"Expected a table of names beginning with '{Magic}'.");
        Version = reader.ReadString();
        _blocks = ReadRanges(reader);
        _families = ReadRanges(reader);
        _runs = new (int, int, int)[reader.Read7BitEncodedInt()];
        (int end, int index) = (0, 0);
        for (int i = 0; i < _runs.Length; i++)
        {
            _runs[i] = (end + reader.Read7BitEncodedInt(), reader.Read7BitEncodedInt(), index);
            (end, index) = (_runs[i].First + _runs[i].Length, index + _runs[i].Length);
        }

        _text = reader.ReadString();
        _starts = StartsOf(_text, index);
    }

    /// <summary>The bundled table, read on first use.</summary>
    public static UnicodeNames Bundled => LazyBundled.Value;

    /// <summary>Of Unicode, as <c>15.0.0</c>.</summary>
    public string Version { get; }

    /// <summary>A character's name, as <c>CYRILLIC CAPITAL LETTER ZHE</c>; of a control character its alias. Null where Unicode
    /// has none: unassigned, private and surrogate code points.</summary>
    public string? NameOf(int codePoint)
    {
        int at = Array.BinarySearch(_runs, (codePoint, int.MaxValue, 0));
        (int first, int length, int index) = ~at > 0 ? _runs[~at - 1] : default;
        if (codePoint >= first && codePoint < first + length)
        {
            int name = index + codePoint - first;
            return _text[_starts[name]..(_starts[name + 1] - 1)];
        }

        if (codePoint is >= HangulFirst and <= HangulLast) return "HANGUL SYLLABLE " + Jamo(codePoint - HangulFirst);
        return Find(_families, codePoint) is { } family ? $"{family.Name}{codePoint:X4}" : null;
    }

    /// <summary>The block of a code point, as <c>Cyrillic</c>; null outside all.</summary>
    public string? BlockOf(int codePoint) => Find(_blocks, codePoint)?.Name;

    /// <summary>Writes a table; the same names always give the same bytes.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="version">Of Unicode.</param>
    /// <param name="blocks">Ascending.</param>
    /// <param name="families">Ranges whose names are a prefix and the code point, ascending.</param>
    /// <param name="names">Of single code points, ascending; without line breaks.</param>
    public static void Write(Stream output, string version, IReadOnlyList<CodePointRange> blocks,
        IReadOnlyList<CodePointRange> families, IReadOnlyList<KeyValuePair<int, string>> names)
    {
        using var brotli = new BrotliStream(output, CompressionLevel.SmallestSize, leaveOpen: true);
        using var writer = new BinaryWriter(brotli);
        writer.Write(Magic);
        writer.Write(version);
        WriteRanges(writer, blocks);
        WriteRanges(writer, families);
        List<(int First, int Length)> runs = RunsOf(names);
        writer.Write7BitEncodedInt(runs.Count);
        int end = 0;
        foreach ((int first, int length) in runs)
        {
            writer.Write7BitEncodedInt(first - end);
            writer.Write7BitEncodedInt(length);
            end = first + length;
        }

        writer.Write(string.Concat(names.Select(name => name.Value + "\n")));
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <exception cref="InvalidDataException">The stream is no such table.</exception>
    public static UnicodeNames Read(Stream input)
    {
        using var brotli = new BrotliStream(input, CompressionMode.Decompress, leaveOpen: true);
        using var reader = new BinaryReader(brotli, Encoding.UTF8);
        return new UnicodeNames(reader);
    }

    private static CodePointRange? Find(CodePointRange[] ranges, int codePoint)
    {
        foreach (CodePointRange range in ranges)
            if (codePoint >= range.First && codePoint <= range.Last) return range;
        return null;
    }

    /// <summary>Unicode 15, section 3.12: a syllable's number in base (19, 21, 28) spells it.</summary>
    private static string Jamo(int syllable)
    {
        string[] initials = ["G", "GG", "N", "D", "DD", "R", "M", "B", "BB", "S", "SS", "", "J", "JJ", "C", "K", "T", "P", "H"];
        string[] vowels =
            ["A", "AE", "YA", "YAE", "EO", "E", "YEO", "YE", "O", "WA", "WAE", "OE", "YO", "U", "WEO", "WE", "WI", "YU", "EU", "YI", "I"];
        string[] finals =
        [
            "", "G", "GG", "GS", "N", "NJ", "NH", "D", "L", "LG", "LM", "LB", "LS", "LT", "LP", "LH", "M", "B", "BS", "S", "SS", "NG",
            "J", "C", "K", "T", "P", "H",
        ];
        (int rest, int final) = Math.DivRem(syllable, finals.Length);
        (int initial, int vowel) = Math.DivRem(rest, vowels.Length);
        return initials[initial] + vowels[vowel] + finals[final];
    }

    private static int[] StartsOf(string text, int names)
    {
        var starts = new int[names + 1];
        for (int i = 1; i <= names; i++) starts[i] = text.IndexOf('\n', starts[i - 1]) + 1;
        return starts[names] == text.Length ? starts : throw new InvalidDataException("The table of names does not end with its last name.");
    }

    private static List<(int First, int Length)> RunsOf(IReadOnlyList<KeyValuePair<int, string>> names)
    {
        var runs = new List<(int First, int Length)>();
        foreach ((int codePoint, _) in names)
        {
            if (runs.Count > 0 && runs[^1].First + runs[^1].Length == codePoint) runs[^1] = (runs[^1].First, runs[^1].Length + 1);
            else runs.Add((codePoint, 1));
        }

        return runs;
    }

    private static CodePointRange[] ReadRanges(BinaryReader reader)
    {
        var ranges = new CodePointRange[reader.Read7BitEncodedInt()];
        for (int i = 0; i < ranges.Length; i++)
            ranges[i] = new(reader.Read7BitEncodedInt(), reader.Read7BitEncodedInt(), reader.ReadString());
        return ranges;
    }

    private static void WriteRanges(BinaryWriter writer, IReadOnlyList<CodePointRange> ranges)
    {
        writer.Write7BitEncodedInt(ranges.Count);
        foreach (CodePointRange range in ranges)
        {
            writer.Write7BitEncodedInt(range.First);
            writer.Write7BitEncodedInt(range.Last);
            writer.Write(range.Name);
        }
    }

    private static readonly Lazy<UnicodeNames> LazyBundled = new(() =>
    {
        using Stream resource = typeof(UnicodeNames).Assembly.GetManifestResourceStream("unicode.names")
            ?? throw new InvalidOperationException("The resource unicode.names is missing from the assembly.");
        return Read(resource);
    });
}

using System.Globalization;
using System.Text;

namespace Serving.Glyphs.Fonts;

/// <summary>GNU Unifont's text format: <c>0041:0000000018242442427E424242420000</c>, one character a line. Where combining marks hang
/// is in <c>plane00-combining.txt</c> beside it, if that is there.</summary>
internal static class HexFont
{
    private const string CombiningFile = "plane00-combining.txt";
    private const int MaxOffset = 64;
    private const int LastCodePoint = 0x10FFFF;

    /// <summary>Longer than any valid line, so that a binary file is refused without being shown.</summary>
    private const int ShownCharacters = 40;

    public static GlyphFont Read(string path)
    {
        var glyphs = new Dictionary<int, GlyphBitmap>();
        int number = 0;
        foreach (string line in File.ReadLines(path, Encoding.Latin1))
        {
            number++;
            (int codePoint, GlyphBitmap glyph) = ParseLine(path, number, line);
            if (!glyphs.TryAdd(codePoint, glyph))
                throw new FontFormatException(path, number, "each code point once", $"U+{codePoint:X4} again");
        }

        string combining = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, CombiningFile);
        if (File.Exists(combining)) ReadOffsets(combining, glyphs);
        if (glyphs.Count == 0) throw new FontFormatException(path, 1, "a line such as 0041:0000…", "an empty file");
        return new GlyphFont(Path.GetFileName(path), glyphs);
    }

    /// <summary>Lines of <c>code point:offset</c>, the offset from -64 to 64.</summary>
    private static void ReadOffsets(string path, Dictionary<int, GlyphBitmap> glyphs)
    {
        int number = 0;
        foreach (string line in File.ReadLines(path, Encoding.Latin1))
        {
            number++;
            string[] parts = line.Split(':');
            bool isEntry = parts.Length == 2
                && int.TryParse(parts[0], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int codePoint)
                & int.TryParse(parts[1], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int offset)
                && Math.Abs(offset) <= MaxOffset && TrySet(codePoint, offset);
            if (!isEntry) throw new FontFormatException(path, number, "a code point and an offset from -64 to 64", Shown(line));
        }

        bool TrySet(int codePoint, int offset)
        {
            if (glyphs.TryGetValue(codePoint, out GlyphBitmap glyph)) glyphs[codePoint] = glyph with { Offset = offset };
            return true;
        }
    }

    private static (int CodePoint, GlyphBitmap Glyph) ParseLine(string path, int number, string line)
    {
        int colon = line.IndexOf(':', StringComparison.Ordinal);
        if (colon is < 4 or > 6)
            throw new FontFormatException(path, number, "4 to 6 hexadecimal digits and a colon", Shown(line));

        ReadOnlySpan<char> code = line.AsSpan(0, colon);
        if (!int.TryParse(code, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int codePoint)
            || codePoint > LastCodePoint)
            throw new FontFormatException(path, number, "a code point of at most 10FFFF", Shown(code));

        ReadOnlySpan<char> digits = line.AsSpan(colon + 1);
        if (digits.Length is not (32 or 64))
            throw new FontFormatException(path, number, "32 or 64 digits of bitmap", $"{digits.Length}");
        if (digits.IndexOfAnyExcept(HexDigits) is >= 0 and int at)
            throw new FontFormatException(path, number, "hexadecimal digits", Shown(digits[at..]));

        return (codePoint, new GlyphBitmap(digits.Length / 4, Convert.FromHexString(digits)));
    }

    private static readonly System.Buffers.SearchValues<char> HexDigits =
        System.Buffers.SearchValues.Create("0123456789abcdefABCDEF");

    private static string Shown(ReadOnlySpan<char> text) =>
        text.Length <= ShownCharacters ? $"'{text}'" : $"'{text[..ShownCharacters]}…'";
}

using Serving.Glyphs.Unicode;

namespace Serving.Glyphs.Tests.Unicode;

public class UnicodeNamesTests
{
    // From the code charts at unicode.org/charts.
    [Theory]
    [InlineData(0x0000, "NULL", "Basic Latin")]
    [InlineData(0x000A, "LINE FEED", "Basic Latin")]
    [InlineData(0x0041, "LATIN CAPITAL LETTER A", "Basic Latin")]
    [InlineData(0x0416, "CYRILLIC CAPITAL LETTER ZHE", "Cyrillic")]
    [InlineData(0x3042, "HIRAGANA LETTER A", "Hiragana")]
    [InlineData(0x4E2D, "CJK UNIFIED IDEOGRAPH-4E2D", "CJK Unified Ideographs")]
    [InlineData(0xAC00, "HANGUL SYLLABLE GA", "Hangul Syllables")]
    [InlineData(0xD4DB, "HANGUL SYLLABLE PWILH", "Hangul Syllables")]
    [InlineData(0xD7A3, "HANGUL SYLLABLE HIH", "Hangul Syllables")]
    [InlineData(0xF900, "CJK COMPATIBILITY IDEOGRAPH-F900", "CJK Compatibility Ideographs")]
    [InlineData(0xFFFD, "REPLACEMENT CHARACTER", "Specials")]
    [InlineData(0x1F600, "GRINNING FACE", "Emoticons")]
    [InlineData(0x17000, "TANGUT IDEOGRAPH-17000", "Tangut")]
    [InlineData(0x323AF, "CJK UNIFIED IDEOGRAPH-323AF", "CJK Unified Ideographs Extension H")]
    [InlineData(0xE01EF, "VARIATION SELECTOR-256", "Variation Selectors Supplement")]
    [InlineData(0x0378, null, "Greek and Coptic")]
    [InlineData(0xD800, null, "High Surrogates")]
    [InlineData(0xE000, null, "Private Use Area")]
    [InlineData(0x2FE0, null, null)]
    public void NameAndBlock_KnownCodePoint_AreUnicodes(int codePoint, string? name, string? block)
    {
        Assert.Equal(name, UnicodeNames.Bundled.NameOf(codePoint));
        Assert.Equal(block, UnicodeNames.Bundled.BlockOf(codePoint));
    }

    [Fact]
    public void NameOf_AllCodePoints_IsUnique()
    {
        string[] names = [.. Enumerable.Range(0, 0x110000).Select(UnicodeNames.Bundled.NameOf).OfType<string>()];
        Assert.Equal(names.Length, names.Distinct().Count());
        // Unicode 15.0 has 149,186 characters (DerivedAge.txt), and 65 controls, all of which have an alias but U+0080, 81, 84 and 99.
        Assert.InRange(names.Length, 149_186, 149_186 + 65);
    }

    [Fact]
    public void Read_WhatWasWritten_IsTheSame()
    {
        using var file = new MemoryStream();
        UnicodeNames.Write(file, "1.2", [new(0, 9, "Low")], [new(20, 29, "THING-")], [new(3, "THREE"), new(4, "FOUR"), new(7, "SEVEN")]);
        file.Position = 0;
        UnicodeNames names = UnicodeNames.Read(file);
        Assert.Equal("1.2", names.Version);
        Assert.Equal(["THREE", "FOUR", null, null, "SEVEN", null], Enumerable.Range(3, 6).Select(names.NameOf));
        Assert.Equal(("THING-0019", null, "Low"), (names.NameOf(25), names.NameOf(30), names.BlockOf(9)));
    }

    [Fact]
    public void Read_AnotherFile_IsRefused() =>
        Assert.ThrowsAny<Exception>(() => UnicodeNames.Read(new MemoryStream([1, 2, 3])));
}

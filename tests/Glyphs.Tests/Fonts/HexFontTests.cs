using Serving.Glyphs.Fonts;

namespace Serving.Glyphs.Tests.Fonts;

public sealed class HexFontTests : IDisposable
{
    private const string LetterA = "0041:0000000018242442427E424242420000";
    private readonly string _path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void Load_HalfAndFullWidthLines_GivesTheirPixels()
    {
        File.WriteAllLines(_path, [LetterA, "4E00:" + new string('0', 28) + "FFFE" + new string('0', 32)]);

        GlyphFont font = GlyphFont.Load(_path);

        Assert.True(font.TryGet('A', out GlyphBitmap a));
        Assert.Equal((8, 0x18, 0x7E), (a.Width, a.Row(4), a.Row(9)));
        Assert.True(font.TryGet('一', out GlyphBitmap one));
        Assert.Equal((16, 0xFFFE), (one.Width, one.Row(7)));
        Assert.False(font.TryGet('B', out _));
    }

    [Theory]
    [InlineData("0041 0000000018242442427E424242420000", "a colon")]
    [InlineData("41:0000000018242442427E424242420000", "4 to 6 hexadecimal digits")]
    [InlineData("110000:0000000018242442427E424242420000", "at most 10FFFF")]
    [InlineData("00G1:0000000018242442427E424242420000", "a code point")]
    [InlineData("0042:0000000018242442427E4242424200", "32 or 64 digits of bitmap, found 30")]
    [InlineData("0042:00000000182424X2427E424242420000", "hexadecimal digits, found 'X2427E424242420000'")]
    [InlineData(LetterA, "each code point once, found U+0041 again")]
    [InlineData("", "4 to 6 hexadecimal digits")]
    public void Load_BrokenLine_NamesPathLineExpectedAndFound(string line, string message)
    {
        File.WriteAllLines(_path, [LetterA, line]);

        var error = Assert.Throws<FontFormatException>(() => GlyphFont.Load(_path));

        Assert.Equal(2, error.Line);
        Assert.StartsWith($"{_path}, line 2: expected ", error.Message, StringComparison.Ordinal);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_EmptyFile_IsRefused()
    {
        File.WriteAllText(_path, "");
        Assert.Throws<FontFormatException>(() => GlyphFont.Load(_path));
    }
}

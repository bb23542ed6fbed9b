using Serving.Glyphs.Fonts;

namespace Serving.Glyphs.Tests.Fonts;

public class GlyphAtlasTests
{
    [Fact]
    public void Unifont_Bundled_HasTheScriptsOfTheExperts()
    {
        GlyphFont font = GlyphFont.Unifont;

        Assert.Equal("GNU Unifont 15.0.01", font.Name);
        Assert.Equal(57_086, font.Count);
        Assert.True(font.TryGet('A', out GlyphBitmap a));
        Assert.Equal("0000000018242442427E424242420000", Convert.ToHexString(a.Rows.Span));
        Assert.True(font.TryGet(0x301, out GlyphBitmap acute));
        Assert.Equal((-8, null), (acute.Offset, a.Offset));
        Assert.All("Жя中文！", character => Assert.True(font.TryGet(character, out _)));
    }

    [Fact]
    public void Write_ThenRead_GivesTheSameFontAndTheSameBytes()
    {
        using var first = new MemoryStream();
        GlyphAtlas.Write(GlyphFont.Unifont, GlyphFont.Unifont.Name, first);
        first.Position = 0;

        GlyphFont again = GlyphAtlas.Read(first);

        using var second = new MemoryStream();
        GlyphAtlas.Write(again, again.Name, second);
        Assert.Equal(first.ToArray(), second.ToArray());
        Assert.Equal(GlyphFont.Unifont.CodePoints, again.CodePoints);
    }

    [Fact]
    public void Read_SomethingElse_IsRefused()
    {
        using var stream = new MemoryStream();
        using (var brotli = new System.IO.Compression.BrotliStream(stream, System.IO.Compression.CompressionLevel.Fastest, true))
            brotli.Write([3, (byte)'a', (byte)'b', (byte)'c']);
        stream.Position = 0;

        Assert.Throws<InvalidDataException>(() => GlyphAtlas.Read(stream));
    }
}

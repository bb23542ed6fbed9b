using System.Text.Json;
using Serving.Glyphs.Embeddings;
using Serving.Glyphs.Fonts;
using Serving.Testing;

namespace Serving.Glyphs.Tests.Embeddings;

public class GlyphCanvasTests
{
    public static TheoryData<string, string> PillowPictures()
    {
        using JsonDocument golden = JsonDocument.Parse(File.ReadAllBytes(TestData.Path("glyphs.json")));
        var data = new TheoryData<string, string>();
        foreach (JsonElement token in golden.RootElement.GetProperty("tokens").EnumerateArray())
            data.Add(token.GetProperty("text").GetString()!, token.GetProperty("bits").GetString()!);
        return data;
    }

    [Theory]
    [MemberData(nameof(PillowPictures))]
    public void Draw_PublishedRecipe_EqualsPillowsPictureBitForBit(string text, string expected)
    {
        var bits = new byte[128];

        new GlyphCanvas(GlyphFont.Unifont, GlyphRecipe.Bvv241TwoThree).Draw(text, bits);

        Assert.Equal(expected, Convert.ToHexStringLower(bits));
    }

    /// <summary>Drawn by Pillow 13 with the OpenType form of Unifont 15.0.01, as the published recipe does it.</summary>
    public static TheoryData<string, string> MarksAndHiddenCharacters()
    {
        using JsonDocument marks = JsonDocument.Parse(File.ReadAllBytes(TestData.Path("combining-marks.json")));
        var data = new TheoryData<string, string>();
        foreach (JsonElement mark in marks.RootElement.EnumerateArray())
            data.Add(mark.GetProperty("text").GetString()!, mark.GetProperty("bits").GetString()!);
        return data;
    }

    [Theory]
    [MemberData(nameof(MarksAndHiddenCharacters))]
    public void Draw_MarkOrHiddenCharacter_EqualsPillowsPictureBitForBit(string text, string expected)
    {
        var bits = new byte[128];

        new GlyphCanvas(GlyphFont.Unifont, GlyphRecipe.Bvv241TwoThree).Draw(text, bits);

        Assert.Equal(expected, Convert.ToHexStringLower(bits));
    }

    [Theory]
    [MemberData(nameof(PillowPictures))]
    public void Draw_WithoutDistortion_DiffersOnlyInScriptsThatGetIt(string text, string published)
    {
        var bits = new byte[128];

        new GlyphCanvas(GlyphFont.Unifont, GlyphRecipe.Glyph256).Draw(text, bits);

        Assert.Equal(GlyphDistortion.IsWhole(text), published != Convert.ToHexStringLower(bits));
    }

    [Fact]
    public void Draw_Twice_LeavesNothingOfTheFirst()
    {
        var canvas = new GlyphCanvas(GlyphFont.Unifont, GlyphRecipe.Glyph256);
        byte[] alone = new byte[128], after = new byte[128];
        canvas.Draw("A", alone);

        canvas.Draw("中文字", after);
        canvas.Draw("A", after);

        Assert.Equal(alone, after);
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("\U0010FFFF")]
    public void Draw_NothingToSee_IsBlank(string text)
    {
        var bits = new byte[128];
        new GlyphCanvas(GlyphFont.Unifont, GlyphRecipe.Glyph256).Draw(text, bits);
        Assert.All(bits, value => Assert.Equal(0, value));
    }

    [Fact]
    public void PolarOrder_Of32_StartsAtTheCentreAndEndsInTheCorner()
    {
        int[] order = PolarOrder.Of(32);

        (int, int)[] start = [(16, 16), (16, 15), (17, 16), (16, 17), (15, 16), (15, 15)];
        Assert.Equal(start, order.Take(6).Select(pixel => (pixel % 32, pixel / 32)));
        Assert.Equal(0, order[^1]);
        Assert.Equal(Enumerable.Range(0, 1024), order.Order());
    }
}

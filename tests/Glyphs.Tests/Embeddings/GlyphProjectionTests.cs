using Serving.Glyphs.Embeddings;
using Serving.Glyphs.Fonts;

namespace Serving.Glyphs.Tests.Embeddings;

public class GlyphProjectionTests
{
    private static readonly string[] Tokens =
    [
        .. Enumerable.Range(33, 94).Select(c => ((char)c).ToString()), .. Enumerable.Range(0x410, 64).Select(c => ((char)c).ToString()),
        .. Enumerable.Range(0x4E00, 300).Select(c => ((char)c).ToString()), "the", "ing", "and", "ство", "我们", "ение",
    ];

    private static readonly GlyphTable Full = GlyphTable.Build(GlyphFont.Unifont, GlyphRecipe.Glyph1024, Tokens);
    private static readonly GlyphTable Narrow = GlyphTable.Build(GlyphFont.Unifont, new GlyphRecipe("narrow", 32, 64), Tokens);
    private static readonly FrozenTable FullRows = Full.ToFrozenTable(), NarrowRows = Narrow.ToFrozenTable();

    [Fact]
    public void Rebuild_AllComponents_GivesEveryPictureBack()
    {
        GlyphProjection projection = GlyphProjection.Recover(FullRows, Full.Bits);
        for (int token = 0; token < Tokens.Length; token++)
        {
            float[] picture = projection.Rebuild(FullRows.Row(token), projection.LengthOf(Full.Bits.Row(token)), 1024);
            for (int bit = 0; bit < picture.Length; bit++) Assert.Equal(Full.Bits[token, bit] ? 1 : 0, picture[bit], 0.01);
        }
    }

    [Fact]
    public void Recover_FewComponents_FindsTheDirectionsThatMadeTheTable()
    {
        GlyphProjection projection = GlyphProjection.Recover(NarrowRows, Narrow.Bits);
        // What a unit vector along component k rebuilds, without the mean, is direction k itself.
        var unit = new float[64];
        float[] mean = projection.Rebuild(unit, 1, 0);
        for (int k = 0; k < 64; k++)
        {
            Array.Clear(unit);
            unit[k] = 1;
            double[] direction = [.. projection.Rebuild(unit, 1, 64).Zip(mean, (a, b) => (double)a - b)];
            Assert.Equal(1, direction.Zip(Narrow.Components.Directions[k], (a, b) => a * b).Sum(), 2e-3);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(460)]
    public void ErrorsOf_MoreComponents_FallToWhatTheTableLost(int token)
    {
        GlyphProjection projection = GlyphProjection.Recover(NarrowRows, Narrow.Bits);
        ReadOnlySpan<byte> bits = Narrow.Bits.Row(token);
        float length = projection.LengthOf(bits);
        float[] errors = projection.ErrorsOf(NarrowRows.Row(token), length, bits);

        Assert.Equal(65, errors.Length);
        for (int k = 1; k < errors.Length; k++) Assert.True(errors[k] <= errors[k - 1] + 1e-4);
        float[] picture = projection.Rebuild(NarrowRows.Row(token), length, 64);
        double mean = Enumerable.Range(0, 1024).Average(bit => Math.Pow(picture[bit] - (Narrow.Bits[token, bit] ? 1 : 0), 2));
        Assert.Equal(mean, errors[64], 1e-5);
    }
}

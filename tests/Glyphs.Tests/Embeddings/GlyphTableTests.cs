using Serving.Glyphs.Embeddings;
using Serving.Glyphs.Fonts;

namespace Serving.Glyphs.Tests.Embeddings;

public class GlyphTableTests
{
    private static readonly string[] Tokens =
        ["<pad>", .. Enumerable.Range(33, 94).Select(c => ((char)c).ToString()), .. "ЖдёяАBCкниг中文好字国人".Select(c => c.ToString()), "the", "ing", "ство", "我们"];

    private static readonly GlyphTable Full = GlyphTable.Build(GlyphFont.Unifont, GlyphRecipe.Glyph1024, Tokens);

    [Fact]
    public void Build_AllComponents_IsARotation()
    {
        // With every component kept, cosines of rows are those of the centred pictures.
        double[][] centred = [.. Enumerable.Range(0, Tokens.Length).Select(token =>
            Enumerable.Range(0, 1024).Select(bit => (Full.Bits[token, bit] ? 1 : 0) - Full.Components.Mean[bit]).ToArray())];

        for (int a = 0; a < Tokens.Length; a++)
        {
            for (int b = 0; b < a; b++)
                Assert.Equal(Cosine(centred[a], centred[b]), Dot(Full.Table.Row(a), Full.Table.Row(b)), 1e-5);
        }
    }

    [Fact]
    public void Build_ExplainedVariance_IsThatOfTheProjectedPictures()
    {
        for (int component = 0; component < 8; component++)
        {
            double[] direction = Full.Components.Directions[component];
            double[] scores = [.. Enumerable.Range(0, Tokens.Length).Select(token =>
                Enumerable.Range(0, 1024).Where(bit => Full.Bits[token, bit]).Sum(bit => direction[bit]))];
            double mean = scores.Average();

            Assert.Equal(scores.Sum(score => (score - mean) * (score - mean)) / (Tokens.Length - 1), Full.Components.ExplainedVariance[component], 1e-9);
            Assert.True(direction.MaxBy(Math.Abs) > 0);
        }
    }

    [Fact]
    public void Build_FewerComponents_KeepsTheFirst()
    {
        GlyphTable narrow = GlyphTable.Build(GlyphFont.Unifont, new GlyphRecipe("narrow", 32, 24), Tokens);

        Assert.Equal(Full.Components.ExplainedVariance.Take(24), narrow.Components.ExplainedVariance);
        Assert.All(Enumerable.Range(0, Tokens.Length), token => Assert.Equal(1, Dot(narrow.Table.Row(token), narrow.Table.Row(token)), 1e-6));
    }

    [Fact]
    public void Build_SamePicture_GivesTheSameRow()
    {
        int latin = Array.IndexOf(Tokens, "A"), cyrillic = Array.IndexOf(Tokens, "А");

        Assert.NotEqual(latin, cyrillic);
        Assert.Equal(Full.Table.Row(latin), Full.Table.Row(cyrillic));
    }

    [Fact]
    public void Fingerprint_AnyValueOrShapeChanged_Differs()
    {
        var table = new FrozenTable(2, 2, [1, 2, 3, 4]);

        Assert.Equal(new FrozenTable(2, 2, [1, 2, 3, 4]).Fingerprint, table.Fingerprint);
        Assert.NotEqual(new FrozenTable(2, 2, [1, 2, 3, 5]).Fingerprint, table.Fingerprint);
        Assert.NotEqual(new FrozenTable(4, 1, [1, 2, 3, 4]).Fingerprint, table.Fingerprint);
        // Computed apart: printf 'f32 2 2\n' followed by the four floats, through sha256sum.
        Assert.Equal("sha256:df1a4a0a8fae4be572d00a34a57d1b1d591b71cbb974c851c22baec95cb93e63", table.Fingerprint);
    }

    private static double Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++) sum += (double)a[i] * b[i];
        return sum;
    }

    private static double Cosine(double[] a, double[] b) =>
        a.Zip(b, (x, y) => x * y).Sum() / Math.Sqrt(a.Sum(x => x * x) * b.Sum(x => x * x));
}

using Serving.Glyphs.Embeddings;
using Serving.Glyphs.Fonts;

namespace Serving.Glyphs.Tests.Embeddings;

public class GlyphTableTests
{
    private static readonly string[] Tokens =
        ["<pad>", .. Enumerable.Range(33, 94).Select(c => ((char)c).ToString()), .. "ЖдёяАBCкниг中文好字国人".Select(c => c.ToString()), "the", "ing", "ство", "我们"];

    private static readonly GlyphTable Full = GlyphTable.Build(GlyphFont.Unifont, GlyphRecipe.Glyph1024, Tokens);
    private static readonly FrozenTable Rows = Full.ToFrozenTable();

    [Fact]
    public void Build_AllComponents_IsARotation()
    {
        // With every component kept, cosines of rows are those of the centred pictures.
        double[][] centred = [.. Enumerable.Range(0, Tokens.Length).Select(token =>
            Enumerable.Range(0, 1024).Select(bit => (Full.Bits[token, bit] ? 1 : 0) - Full.Components.Mean[bit]).ToArray())];

        for (int a = 0; a < Tokens.Length; a++)
        {
            for (int b = 0; b < a; b++)
                Assert.Equal(Cosine(centred[a], centred[b]), Dot(Rows.Row(a), Rows.Row(b)), 1e-5);
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
        const int Components = 24;
        GlyphTable narrow = GlyphTable.Build(GlyphFont.Unifont, new GlyphRecipe("narrow", 32, Components), Tokens);

        Assert.Equal(Full.Components.ExplainedVariance.Take(Components), narrow.Components.ExplainedVariance);
        FrozenTable rows = narrow.ToFrozenTable();
        Assert.All(Enumerable.Range(0, Tokens.Length), token => Assert.Equal(1, Dot(rows.Row(token), rows.Row(token)), 1e-6));
    }

    [Fact]
    public void Compute_SomeRowsAtATime_GivesTheBitsOfSumsOverTheDirections()
    {
        var rows = new UnitRows(Full.Bits, Full.Components);
        var slice = new float[rows.AtOnce * Full.Dimensions];
        for (int first = 0; first < Tokens.Length; first += 17)
        {
            int count = Math.Min(17, Tokens.Length - first);
            rows.Compute(first, count, slice);
            for (int row = 0; row < count; row++)
            {
                Assert.Equal(Scalar(first + row), slice.AsSpan(row * Full.Dimensions, Full.Dimensions).ToArray());
                Assert.Equal(Scalar(first + row), Rows.Row(first + row).ToArray());
            }
        }
    }

    [Fact]
    public void Build_SamePicture_GivesTheSameRow()
    {
        int latin = Array.IndexOf(Tokens, "A"), cyrillic = Array.IndexOf(Tokens, "А");

        Assert.NotEqual(latin, cyrillic);
        Assert.Equal(Rows.Row(latin), Rows.Row(cyrillic));
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

    // A row by the definition, one value after the other.
    private static float[] Scalar(int token)
    {
        double[] sums = [.. Full.Components.Directions.Select(direction =>
        {
            double sum = 0;
            for (int bit = 0; bit < direction.Length; bit++) sum += direction[bit] * Full.Components.Mean[bit];
            sum = 0 - sum;
            for (int bit = 0; bit < direction.Length; bit++) sum += Full.Bits[token, bit] ? direction[bit] : 0;
            return sum;
        })];
        double square = 0;
        foreach (double sum in sums) square += sum * sum;
        return [.. sums.Select(sum => (float)(sum * (1 / Math.Sqrt(square))))];
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

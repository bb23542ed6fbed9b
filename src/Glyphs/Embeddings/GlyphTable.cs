using Serving.Glyphs.Fonts;

namespace Serving.Glyphs.Embeddings;

/// <summary>A frozen table computed from glyphs, with what it was computed by way of.</summary>
/// <param name="Recipe">How.</param>
/// <param name="Font">The font's name.</param>
/// <param name="Bits">[tokens, G²] every token's picture in polar order.</param>
/// <param name="Components">The rotation from pictures to vectors.</param>
/// <param name="Table">[tokens, components] the vectors, of unit length.</param>
public sealed record GlyphTable(
    GlyphRecipe Recipe, string Font, BitMatrix Bits, PrincipalComponents Components, FrozenTable Table)
{
    /// <summary>
    /// Builds the table of a vocabulary. The same bytes on every machine and for any number of threads. Identical pictures
    /// give identical rows; a picture that equals the mean gives a row of zeros.
    /// </summary>
    /// <param name="font">Where pictures come from; a character it lacks is blank.</param>
    /// <param name="recipe">What is done with them.</param>
    /// <param name="tokens">The text of every token, by id.</param>
    public static GlyphTable Build(GlyphFont font, GlyphRecipe recipe, IReadOnlyList<string> tokens)
    {
        BitMatrix bits = DrawAll(font, recipe, tokens);
        PrincipalComponents components = PrincipalComponents.Of(bits, recipe.Components);
        float[] rows = Project(bits, components);
        return new(recipe, font.Name, bits, components, new FrozenTable(tokens.Count, recipe.Components, rows));
    }

    private static BitMatrix DrawAll(GlyphFont font, GlyphRecipe recipe, IReadOnlyList<string> tokens)
    {
        var bits = new BitMatrix(tokens.Count, recipe.Bits);
        Parallel.For(0, tokens.Count, () => new GlyphCanvas(font, recipe), (token, _, canvas) =>
        {
            canvas.Draw(tokens[token], bits.Row(token));
            return canvas;
        }, _ => { });
        return bits;
    }

    private static float[] Project(BitMatrix bits, PrincipalComponents components)
    {
        int dimensions = components.Directions.Length;
        // By bit, so that a row is a sum of the rows of its ones; and what the mean projects to, to be taken off.
        double[][] byBit = Transpose(components.Directions, bits.Columns);
        var centre = new double[dimensions];
        for (int bit = 0; bit < bits.Columns; bit++) Add(centre, byBit[bit], components.Mean[bit]);

        var rows = new float[checked(bits.Rows * dimensions)];
        Parallel.For(0, bits.Rows, () => (Sum: new double[dimensions], Ones: new int[bits.Columns]), (row, _, scratch) =>
        {
            Array.Clear(scratch.Sum);
            Add(scratch.Sum, centre, -1);
            int ones = bits.OnesOf(row, scratch.Ones);
            foreach (int bit in scratch.Ones.AsSpan(0, ones)) Add(scratch.Sum, byBit[bit], 1);
            Normalize(scratch.Sum, rows.AsSpan(row * dimensions, dimensions));
            return scratch;
        }, _ => { });
        return rows;
    }

    private static double[][] Transpose(double[][] rows, int columns)
    {
        var transposed = new double[columns][];
        for (int c = 0; c < columns; c++) transposed[c] = [.. rows.Select(row => row[c])];
        return transposed;
    }

    private static void Add(double[] sum, double[] row, double scale)
    {
        for (int i = 0; i < sum.Length; i++) sum[i] += row[i] * scale;
    }

    private static void Normalize(double[] row, Span<float> unit)
    {
        double square = 0;
        foreach (double value in row) square += value * value;
        double scale = square > 0 ? 1 / Math.Sqrt(square) : 0;
        for (int i = 0; i < row.Length; i++) unit[i] = (float)(row[i] * scale);
    }
}

using Serving.Glyphs.Fonts;

namespace Serving.Glyphs.Embeddings;

/// <summary>
/// Tells what a table was made from. A glyph table is recognised without building it again: a recipe rotates pictures and
/// scales them, so the cosine of two rows is the cosine of their pictures, both taken from the mean picture.
/// </summary>
public static class TableRecognition
{
    /// <summary>The tolerance: a table is a recipe's when all but <see cref="Strangers"/> of the sampled cosines of its rows are
    /// within this of the pictures' cosines. Recipes that drop components change cosines a little; of
    /// random vectors, most are further off.</summary>
    public const double CosineTolerance = 0.03;

    /// <summary>The share of cosines that may be off: dropped components, and glyphs that another version of the font drew differently.</summary>
    public const double Strangers = 0.1;

    /// <summary>How far from 1 the length of a row may be: bfloat16 rounds it.</summary>
    public const double LengthTolerance = 0.01;

    private const int SampledRows = 96;
    private const int MeanRows = 16_384;

    /// <summary>Looks at a table.</summary>
    /// <param name="table">The table.</param>
    /// <param name="tokens">The texts of its rows as a recipe draws them; rows past the last have none.</param>
    /// <param name="font">What they would be drawn with; null = the built-in GNU Unifont.</param>
    public static TableOrigin Of(FrozenTable table, IReadOnlyList<string> tokens, GlyphFont? font = null)
    {
        if (IsBinary(table))
            return new(TableKind.Binary, IsFrozen: true, IsTokenId: IsTokenId(table));
        if (!HasUnitRows(table))
            return new(TableKind.Float, IsFrozen: false);
        (string? recipe, double strangers) = GlyphRecipe.Presets.Where(recipe => recipe.Components == table.Dimensions)
            .Select(recipe => ((string?)recipe.Name, StrangersTo(recipe, table, tokens, font ?? GlyphFont.Unifont)))
            .DefaultIfEmpty((null, 1)).MinBy(candidate => candidate.Item2);
        return strangers <= Strangers
            ? new(TableKind.Glyph, IsFrozen: true, recipe)
            : new(TableKind.Float, IsFrozen: true);
    }

    private static bool IsBinary(FrozenTable table)
    {
        var scratch = new float[table.Dimensions];
        for (int id = 0; id < table.Rows; id++)
            if (table.Row(id, scratch).IndexOfAnyExcept(0f, 1f) >= 0) return false;
        return true;
    }

    private static bool IsTokenId(FrozenTable table) =>
        table.Dimensions <= 31 && (IsDigits(table, bit => table.Dimensions - 1 - bit) || IsDigits(table, bit => bit));

    private static bool IsDigits(FrozenTable table, Func<int, int> shift)
    {
        var scratch = new float[table.Dimensions];
        for (int id = 0; id < table.Rows; id++)
        {
            ReadOnlySpan<float> row = table.Row(id, scratch);
            for (int bit = 0; bit < row.Length; bit++)
                if (row[bit] != ((id >> shift(bit)) & 1)) return false;
        }

        return true;
    }

    // A picture that equals the mean has a row of zeros; there is hardly more than one.
    private static bool HasUnitRows(FrozenTable table)
    {
        int others = 0;
        for (int id = 0; id < table.Rows; id++)
        {
            if (!(Math.Abs(table.Norm(id) - 1) <= LengthTolerance)) others++;
        }

        return others <= table.Rows / 100;
    }

    // The share of cosines that are not those of the recipe's pictures.
    private static double StrangersTo(GlyphRecipe recipe, FrozenTable table, IReadOnlyList<string> tokens, GlyphFont font)
    {
        int count = Math.Min(table.Rows, tokens.Count);
        BitMatrix sample = Draw(recipe, font, tokens, Spread(count, MeanRows));
        var mean = new float[recipe.Bits];
        Span<int> ones = new int[recipe.Bits];
        for (int row = 0; row < sample.Rows; row++)
        {
            foreach (int bit in ones[..sample.OnesOf(row, ones)]) mean[bit] += 1f / sample.Rows;
        }

        int[] ids = Spread(count, SampledRows);
        return Compare(table, ids, Centred(Draw(recipe, font, tokens, ids), mean));
    }

    private static double Compare(FrozenTable table, int[] ids, float[][] pictures)
    {
        float[][] rows = [.. ids.Select(id => table.Row(id).ToArray())];
        int pairs = 0, off = 0;
        for (int i = 1; i < ids.Length; i++)
        {
            for (int j = 0; j < i; j++, pairs++)
            {
                double expected = Cosine(pictures[i], pictures[j]), actual = Cosine(rows[i], rows[j]);
                if (!(Math.Abs(expected - actual) <= CosineTolerance)) off++;
            }
        }

        return pairs > 0 ? (double)off / pairs : 1;
    }

    private static int[] Spread(int rows, int most) =>
        [.. Enumerable.Range(0, Math.Min(rows, most)).Select(i => (int)((long)i * rows / Math.Min(rows, most)))];

    private static BitMatrix Draw(GlyphRecipe recipe, GlyphFont font, IReadOnlyList<string> tokens, int[] ids)
    {
        using var pictures = new GlyphPictures(font, recipe);
        return pictures.DrawAll([.. ids.Select(id => tokens[id])]);
    }

    private static float[][] Centred(BitMatrix bits, float[] mean)
    {
        var rows = new float[bits.Rows][];
        for (int row = 0; row < rows.Length; row++)
        {
            rows[row] = [.. mean.Select(value => -value)];
            Span<int> ones = new int[bits.Columns];
            foreach (int bit in ones[..bits.OnesOf(row, ones)]) rows[row][bit] += 1;
        }

        return rows;
    }

    private static double Cosine(ReadOnlySpan<float> a, ReadOnlySpan<float> b) => Dot(a, b) / Math.Sqrt(Dot(a, a) * Dot(b, b));

    private static double Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++) sum += a[i] * b[i];
        return sum;
    }
}

using Serving.Glyphs.Fonts;

namespace Serving.Glyphs.Embeddings;

/// <summary>A frozen table computed from glyphs, by way of what makes it: its rows are computed when they are asked for, so that a
/// table of any size takes the memory of its pictures and directions.</summary>
/// <param name="Recipe">How.</param>
/// <param name="Font">The font's name.</param>
/// <param name="Bits">[tokens, G²] every token's picture in polar order.</param>
/// <param name="Components">The rotation from pictures to vectors.</param>
public sealed record GlyphTable(GlyphRecipe Recipe, string Font, BitMatrix Bits, PrincipalComponents Components)
{
    /// <summary>Tokens.</summary>
    public int Rows => Bits.Rows;

    /// <summary>Length of a vector.</summary>
    public int Dimensions => Components.Directions.Length;

    /// <summary>
    /// Makes the table of a vocabulary. The same bytes on every machine and for any number of threads. Identical pictures
    /// give identical rows; a picture that equals the mean gives a row of zeros.
    /// </summary>
    /// <param name="font">Where pictures come from; a character it lacks is blank.</param>
    /// <param name="recipe">What is done with them.</param>
    /// <param name="tokens">The text of every token, by id.</param>
    public static GlyphTable Build(GlyphFont font, GlyphRecipe recipe, IReadOnlyList<string> tokens)
    {
        using var pictures = new GlyphPictures(font, recipe);
        BitMatrix bits = pictures.DrawAll(tokens);
        return new GlyphTable(recipe, font.Name, bits, PrincipalComponents.Of(bits, recipe.Components));
    }

    /// <summary>Computes all rows, in their order and a few thousand at a time: 64 MB of them in double precision and half as much
    /// in single, whatever the table's size.</summary>
    /// <param name="use">Given rows of unit length, [rows, <see cref="Dimensions"/>], to be read at once.</param>
    public void ForEachSlice(Action<ReadOnlySpan<float>> use)
    {
        var rows = new UnitRows(Bits, Components);
        var slice = new float[rows.AtOnce * Dimensions];
        for (int first = 0; first < Rows; first += rows.AtOnce)
        {
            int count = Math.Min(rows.AtOnce, Rows - first);
            rows.Compute(first, count, slice);
            use(slice.AsSpan(0, count * Dimensions));
        }
    }

    /// <summary>All rows in memory.</summary>
    public FrozenTable ToFrozenTable()
    {
        var values = new float[checked(Rows * Dimensions)];
        int start = 0;
        ForEachSlice(slice =>
        {
            slice.CopyTo(values.AsSpan(start));
            start += slice.Length;
        });
        return new FrozenTable(Rows, Dimensions, values);
    }
}

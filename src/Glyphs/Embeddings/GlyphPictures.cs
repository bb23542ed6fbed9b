using Serving.Glyphs.Fonts;

namespace Serving.Glyphs.Embeddings;

/// <summary>The pictures of texts, as a recipe draws them. Thread-safe.</summary>
public sealed class GlyphPictures(GlyphFont font, GlyphRecipe recipe) : IDisposable
{
    private readonly ThreadLocal<GlyphCanvas> _canvas = new(() => new GlyphCanvas(font, recipe));
    private readonly int[] _order = PolarOrder.Of(recipe.CellPixels);

    /// <summary>How they are drawn.</summary>
    public GlyphRecipe Recipe => recipe;

    /// <summary>Pixels of a side.</summary>
    public int Side => recipe.CellPixels;

    /// <summary>Draws a text's bits, [<see cref="GlyphRecipe.Bits"/> / 8] in polar order.</summary>
    public byte[] Bits(string text)
    {
        var bits = new byte[recipe.Bits / 8];
        Draw(text, bits);
        return bits;
    }

    /// <summary>Draws a text into [<see cref="GlyphRecipe.Bits"/> / 8] bytes.</summary>
    public void Draw(string text, Span<byte> bits) => _canvas.Value!.Draw(text, bits);

    /// <summary>Draws texts on all processors.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="progress">Told how many are drawn, of how many.</param>
    /// <returns>[texts, <see cref="GlyphRecipe.Bits"/>] in polar order.</returns>
    public BitMatrix DrawAll(IReadOnlyList<string> texts, IProgress<(long Done, long Total)>? progress = null)
    {
        var bits = new BitMatrix(texts.Count, recipe.Bits);
        int drawn = 0;
        Parallel.For(0, texts.Count, text =>
        {
            Draw(texts[text], bits.Row(text));
            progress?.Report((Interlocked.Increment(ref drawn), texts.Count));
        });
        return bits;
    }

    /// <summary>From the order of the bits to rows from top to bottom, [<see cref="Side"/>²].</summary>
    public T[] Arrange<T>(ReadOnlySpan<T> polar)
    {
        var picture = new T[polar.Length];
        for (int bit = 0; bit < picture.Length; bit++) picture[_order[bit]] = polar[bit];
        return picture;
    }

    /// <summary>The picture of bits, true where there is ink, in rows from top to bottom.</summary>
    public bool[] Arrange(ReadOnlySpan<byte> bits)
    {
        var picture = new bool[recipe.Bits];
        for (int bit = 0; bit < picture.Length; bit++) picture[_order[bit]] = (bits[bit >> 3] & (0x80 >> (bit & 7))) != 0;
        return picture;
    }

    /// <summary>Ends its canvases.</summary>
    public void Dispose() => _canvas.Dispose();
}

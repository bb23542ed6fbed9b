namespace Serving.Glyphs.Embeddings;

/// <summary>
/// How a token's text becomes its frozen vector: each character drawn into a square cell, n-grams squeezed into one, the
/// pixels read in polar order, centred, rotated onto their principal components and scaled to unit length.
/// </summary>
/// <param name="Name">What <c>embed --recipe</c> and <c>table.json</c> call it.</param>
/// <param name="CellPixels">Side of the cell, a multiple of 16: a Unifont pixel is drawn <c>CellPixels / 16</c> pixels wide.</param>
/// <param name="Components">Principal components kept, at most <c>CellPixels²</c>: the length of a vector.</param>
public sealed record GlyphRecipe(string Name, int CellPixels, int Components)
{
    /// <summary>
    /// The bundled experts' table. A doubled 16 x 16 bitmap has no more than 256 degrees of freedom, so that 256
    /// components lose nothing of a single character.
    /// </summary>
    public static GlyphRecipe Glyph256 { get; } = new("glyph-256", 32, 256);

    /// <summary>All components of the same pictures: a plain rotation, from which a picture can be rebuilt exactly.</summary>
    public static GlyphRecipe Glyph1024 { get; } = new("glyph-1024", 32, 1024);

    /// <summary>The recipes that have a name.</summary>
    public static IReadOnlyList<GlyphRecipe> Presets { get; } = [Glyph256, Glyph1024];

    /// <summary>Pixels, and so bits, of a picture.</summary>
    public int Bits => CellPixels * CellPixels;
}

namespace Serving.Glyphs.Embeddings;

/// <summary>
/// How a token's text becomes its frozen vector: each character drawn into a square cell, n-grams squeezed into one, the
/// pixels read in polar order, centred, rotated onto their principal components and scaled to unit length.
/// </summary>
/// <param name="Name">What <c>embed --recipe</c> and <c>table.json</c> call it.</param>
/// <param name="CellPixels">Side of the cell, a multiple of 16: a Unifont pixel is drawn <c>CellPixels / 16</c> pixels wide.</param>
/// <param name="Components">Principal components kept, at most <c>CellPixels²</c>: the length of a vector.</param>
/// <param name="Distortion">What is done to the picture before its bits are read; null = nothing.</param>
public sealed record GlyphRecipe(string Name, int CellPixels, int Components, GlyphDistortion? Distortion = null)
{
    /// <summary>
    /// The bundled experts' table. A doubled 16 x 16 bitmap has no more than 256 degrees of freedom, so that 256
    /// components lose nothing of a single character.
    /// </summary>
    public static GlyphRecipe Glyph256 { get; } = new("glyph-256", 32, 256);

    /// <summary>All components of the same pictures: a plain rotation, from which a picture can be rebuilt exactly.</summary>
    public static GlyphRecipe Glyph1024 { get; } = new("glyph-1024", 32, 1024);

    /// <summary>The published tables of 65,536 tokens.</summary>
    public static GlyphRecipe Bvv241TwoThree { get; } = new("bvv241-2-3", 32, 1024, new(1.11541438766307, -2, 0, 0.01));

    /// <summary>The published tables of 131,072 tokens.</summary>
    public static GlyphRecipe Bvv241Max { get; } = new("bvv241-max", 32, 1024, new(1.9519751784103718, -3, 2, 0.03));

    /// <summary>The published tables for Mistral-Nemo's tokenizer, whose tokens are drawn as its vocabulary spells them.</summary>
    public static GlyphRecipe Bvv241Nemo { get; } = Bvv241Max with { Name = "bvv241-nemo" };

    /// <summary>The published tables of 4,096 components.</summary>
    public static GlyphRecipe Bvv241Abs { get; } = Bvv241Max with { Name = "bvv241-abs", CellPixels = 64, Components = 4096 };

    /// <summary>The recipes that have a name.</summary>
    public static IReadOnlyList<GlyphRecipe> Presets { get; } = [Glyph256, Glyph1024, Bvv241TwoThree, Bvv241Max, Bvv241Nemo, Bvv241Abs];

    /// <summary>Pixels, and so bits, of a picture.</summary>
    public int Bits => CellPixels * CellPixels;
}

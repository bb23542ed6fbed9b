using System.ComponentModel;
using Serving.Glyphs.Embeddings;

namespace Serving.Server.Inspection;

/// <summary>A token's picture.</summary>
internal sealed record Glyph(
    int Width,
    int Height,
    [property: Description("From top to bottom; # is ink and . is paper.")] IReadOnlyList<string> Rows)
{
    public static Glyph Of(GlyphPictures pictures, string text)
    {
        bool[] ink = pictures.Arrange(pictures.Bits(text));
        return new Glyph(pictures.Side, pictures.Side, [.. ink.Chunk(pictures.Side).Select(row => string.Concat(row.Select(pixel => pixel ? '#' : '.')))]);
    }
}

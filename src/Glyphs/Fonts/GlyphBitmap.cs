namespace Serving.Glyphs.Fonts;

/// <summary>A character's picture: 16 rows of 8 (half width) or 16 (full width) pixels.</summary>
/// <param name="Width">8 or 16.</param>
/// <param name="Rows">Top to bottom, big-endian, <c>Width / 8</c> bytes a row; the most significant bit is the leftmost pixel.</param>
/// <param name="Offset">Of a combining mark, which takes no room of its own: where its left edge lies, in pixels from the end of the
/// character before it. Null for all others.</param>
public readonly record struct GlyphBitmap(int Width, ReadOnlyMemory<byte> Rows, int? Offset = null)
{
    /// <summary>Rows of every glyph.</summary>
    public const int Height = 16;

    /// <summary>One row's pixels, the leftmost in bit <c>Width - 1</c>.</summary>
    public int Row(int y) => Width == 8 ? Rows.Span[y] : (Rows.Span[2 * y] << 8) | Rows.Span[2 * y + 1];
}

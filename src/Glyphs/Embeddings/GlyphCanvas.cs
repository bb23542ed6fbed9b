using System.Text;
using Serving.Glyphs.Fonts;

namespace Serving.Glyphs.Embeddings;

/// <summary>
/// Draws a token's text into one square cell. The placing is that of Pillow drawing Unifont at size G, which is how the
/// published tables were made: a character is centred on its advance and on the box around its ink and the baseline.
/// </summary>
/// <remarks>Not thread-safe: one canvas a thread.</remarks>
public sealed class GlyphCanvas
{
    /// <summary>Unifont's baseline lies under row 13, 14 rows from the top.</summary>
    private const int BaselineRow = 14;

    private readonly GlyphFont _font;
    private readonly int _cell;
    private readonly int _scale;
    private readonly int[] _order;
    private readonly Distorter? _distorter;
    private bool[] _pixels = [];

    /// <summary>A canvas for one font and recipe.</summary>
    public GlyphCanvas(GlyphFont font, GlyphRecipe recipe)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(recipe.CellPixels % GlyphBitmap.Height, 0);
        _font = font;
        _cell = recipe.CellPixels;
        _scale = _cell / GlyphBitmap.Height;
        _order = PolarOrder.Of(_cell);
        _distorter = recipe.Distortion is { } distortion ? new Distorter(distortion) : null;
    }

    /// <summary>Draws <paramref name="text"/> and writes its pixels, in polar order, as bits: 1 is ink.</summary>
    /// <param name="text">A token's text; every code point takes one cell of the unsqueezed strip.</param>
    /// <param name="bits">[G² / 8] bytes, overwritten.</param>
    public void Draw(string text, Span<byte> bits)
    {
        bits.Clear();
        int characters = text.EnumerateRunes().Count();
        if (characters == 0) return;

        int width = characters * _cell;
        DrawStrip(text, width);
        _distorter?.Apply(_pixels.AsSpan(0, width * _cell), width, GlyphDistortion.IsWhole(text));
        for (int bit = 0; bit < _order.Length; bit++)
        {
            (int y, int x) = Math.DivRem(_order[bit], _cell);
            // Nearest neighbour, as Pillow samples black-and-white pictures: floor((x + 1/2) * width / G).
            if (_pixels[y * width + (2 * x + 1) * characters / 2]) bits[bit >> 3] |= (byte)(0x80 >> (bit & 7));
        }
    }

    private void DrawStrip(string text, int width)
    {
        if (_pixels.Length < width * _cell) _pixels = new bool[width * _cell];
        _pixels.AsSpan(0, width * _cell).Clear();
        int left = 0;
        foreach (Rune rune in text.EnumerateRunes())
        {
            // To Pillow a newline is a line break and draws nothing; the published recipes inherit that.
            bool isBreak = rune.Value == '\n' && _distorter is not null;
            if (!isBreak && _font.TryGet(rune.Value, out GlyphBitmap glyph)) DrawGlyph(glyph, left, width);
            left += _cell;
        }
    }

    private void DrawGlyph(GlyphBitmap glyph, int left, int stripWidth)
    {
        (int top, int bottom) = InkRows(glyph);
        int x0 = left + (_cell - glyph.Width * _scale) / 2;
        int y0 = (_cell - (bottom - top) * _scale) / 2 - top * _scale;
        for (int row = 0; row < GlyphBitmap.Height; row++)
        {
            int pixels = glyph.Row(row);
            for (int column = 0; column < glyph.Width; column++)
            {
                if ((pixels >> (glyph.Width - 1 - column) & 1) != 0)
                    FillSquare(x0 + column * _scale, y0 + row * _scale, stripWidth);
            }
        }
    }

    /// <summary>The rows that hold ink, widened to touch the baseline, as [top, bottom).</summary>
    private static (int Top, int Bottom) InkRows(GlyphBitmap glyph)
    {
        int top = BaselineRow, bottom = BaselineRow;
        for (int row = 0; row < GlyphBitmap.Height; row++)
        {
            if (glyph.Row(row) == 0) continue;
            top = Math.Min(top, row);
            bottom = Math.Max(bottom, row + 1);
        }

        return (top, bottom);
    }

    private void FillSquare(int x, int y, int stripWidth)
    {
        for (int dy = 0; dy < _scale; dy++)
        {
            // Descenders below the cell are cut off, as Pillow cuts them.
            if ((uint)(y + dy) < (uint)_cell) _pixels.AsSpan((y + dy) * stripWidth + x, _scale).Fill(true);
        }
    }
}

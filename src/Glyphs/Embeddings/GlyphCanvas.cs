using System.Globalization;
using System.Numerics;
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

    private const int DottedCircle = 0x25CC;

    private static readonly byte[] NoInk = new byte[GlyphBitmap.Height];

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
            bool isHidden = _distorter is not null && IsHidden(rune.Value);
            if (isHidden && IsMark(rune)) DrawCharacter(rune, new GlyphBitmap(8, NoInk, Offset: 0), left, width);
            else if (!isHidden && TryGet(rune, out GlyphBitmap glyph)) DrawCharacter(rune, glyph, left, width);
            left += _cell;
        }
    }

    // For a character that the font lacks, Pillow draws what Unifont has for U+FFFD.
    private bool TryGet(Rune rune, out GlyphBitmap glyph) =>
        (_distorter is not null && _font.TryGet(LoneCharacters.IsolatedFormOf(rune.Value), out glyph))
        || _font.TryGet(rune.Value, out glyph) || (_distorter is not null && _font.TryGet(0xFFFD, out glyph));

    private void DrawCharacter(Rune rune, GlyphBitmap glyph, int left, int stripWidth)
    {
        if (_distorter is not null && IsMark(rune) && _font.TryGet(DottedCircle, out GlyphBitmap circle))
        {
            DrawMark(rune, glyph, circle, left, stripWidth);
            return;
        }

        if (_distorter is not null && LoneCharacters.SaraAm(rune.Value) is var (mark, vowel)
            && _font.TryGet(mark, out GlyphBitmap above) && _font.TryGet(vowel, out GlyphBitmap letter))
        {
            DrawOn([letter], [above], pen: 0, keepsRoom: false, left, stripWidth);
            return;
        }

        (int top, int bottom) = InkRows(glyph);
        DrawGlyph(glyph, left + Centred(glyph.Width), Centred(bottom - top) - top * _scale, stripWidth);
    }

    // Alone, a mark hangs on a dotted circle: Pillow lays text out with HarfBuzz, which puts one there. A mark that takes room by the
    // font loses it and stays where it is, but those that Unicode calls spacing keep it.
    private void DrawMark(Rune rune, GlyphBitmap glyph, GlyphBitmap circle, int left, int stripWidth)
    {
        GlyphBitmap[] marks = LoneCharacters.PartsOf(rune.Value) is { Length: > 0 } parts
            ? [.. parts.Select(part => _font.TryGet(part, out GlyphBitmap found) ? found : glyph)]
            : [glyph];
        GlyphBitmap[] circles = [.. Enumerable.Repeat(circle, LoneCharacters.CirclesOf(rune.Value))];
        int pen = LoneCharacters.StandsBefore(rune.Value) ? 0 : circles.Length * circle.Width;
        DrawOn(circles, marks, pen, Rune.GetUnicodeCategory(rune) == UnicodeCategory.SpacingCombiningMark, left, stripWidth);
    }

    // Letters one after the other, and marks where the pen is; centred as a whole.
    private void DrawOn(GlyphBitmap[] letters, GlyphBitmap[] marks, int pen, bool keepsRoom, int left, int stripWidth)
    {
        int room = letters.Sum(letter => letter.Width);
        (int top, int bottom) = InkRows([.. letters, .. marks]);
        (int boxLeft, int boxRight) = (0, room);
        foreach (GlyphBitmap mark in marks)
        {
            int start = pen + (mark.Offset ?? 0), advance = mark.Offset is null && keepsRoom ? mark.Width : 0;
            (int first, int end) = InkColumns(mark);
            (boxLeft, boxRight) = (Math.Min(boxLeft, start + first), Math.Max(boxRight, Math.Max(room + advance, start + end)));
        }

        int x = left + Centred(boxRight - boxLeft), y = Centred(bottom - top) - top * _scale;
        for (int i = 0; i < letters.Length; i++) DrawGlyph(letters[i], x + letters[..i].Sum(letter => letter.Width) * _scale, y, stripWidth);
        foreach (GlyphBitmap mark in marks) DrawGlyph(mark, x + (pen + (mark.Offset ?? 0)) * _scale, y, stripWidth);
    }

    /// <summary>Where something of a size in the font's pixels begins, to stand in the middle of the cell.</summary>
    private int Centred(int size) => (_cell - size * _scale) >> 1;

    /// <summary>What Pillow draws nothing for, and so the published recipes: a newline, which is a line break to it, and what HarfBuzz
    /// takes out as ignorable by default.</summary>
    private static bool IsHidden(int codePoint) => codePoint is '\n' or 0xAD or 0x34F or 0x61C or 0x17B4 or 0x17B5
        or (>= 0x180B and <= 0x180E) or (>= 0x200B and <= 0x200F) or (>= 0x202A and <= 0x202E) or (>= 0x2060 and <= 0x206F)
        or (>= 0xFE00 and <= 0xFE0F) or 0xFEFF or (>= 0xFFF0 and <= 0xFFF8);

    private static bool IsMark(Rune rune) => Rune.GetUnicodeCategory(rune)
        is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark
        || rune.Value is (>= 0x1ACF and <= 0x1ADD) or (>= 0x1AE0 and <= 0x1AEB); // new in Unicode 17

    private void DrawGlyph(GlyphBitmap glyph, int x0, int y0, int stripWidth)
    {
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

    /// <summary>The columns that hold ink, as [first, end); an empty range at 0 where none does.</summary>
    private static (int First, int End) InkColumns(GlyphBitmap glyph)
    {
        int ink = 0;
        for (int row = 0; row < GlyphBitmap.Height; row++) ink |= glyph.Row(row);
        return ink == 0 ? (0, 0) : (glyph.Width - 1 - BitOperations.Log2((uint)ink), glyph.Width - BitOperations.TrailingZeroCount(ink));
    }

    /// <summary>The rows in which any of some glyphs has ink, widened to touch the baseline, as [top, bottom).</summary>
    private static (int Top, int Bottom) InkRows(params ReadOnlySpan<GlyphBitmap> glyphs)
    {
        int top = BaselineRow, bottom = BaselineRow;
        for (int row = 0; row < GlyphBitmap.Height; row++)
        {
            int ink = 0;
            foreach (GlyphBitmap glyph in glyphs) ink |= glyph.Row(row);
            if (ink == 0) continue;
            top = Math.Min(top, row);
            bottom = Math.Max(bottom, row + 1);
        }

        return (top, bottom);
    }

    private void FillSquare(int x, int y, int stripWidth)
    {
        for (int dy = 0; dy < _scale; dy++)
        {
            // What leaves the picture is cut off, as Pillow cuts it.
            if ((uint)(y + dy) >= (uint)_cell) continue;
            int from = Math.Max(x, 0), to = Math.Min(x + _scale, stripWidth);
            if (from < to) _pixels.AsSpan((y + dy) * stripWidth + from, to - from).Fill(true);
        }
    }
}

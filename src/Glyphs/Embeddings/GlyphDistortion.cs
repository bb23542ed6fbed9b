using System.Text;

namespace Serving.Glyphs.Embeddings;

/// <summary>
/// What the published recipes did to a picture. It was meant as augmentation, but the random numbers were seeded anew for
/// every token, so that it is one constant distortion: turn, shift, specks, blur, threshold. Texts in the Latin, Greek,
/// Cyrillic and Armenian blocks get all of it, others only a few specks.
/// </summary>
/// <param name="Degrees">Counter-clockwise turn around the middle, nearest neighbour.</param>
/// <param name="ShiftX">Pixels to the right.</param>
/// <param name="ShiftY">Pixels down.</param>
/// <param name="Specks">Share of pixels blackened.</param>
public sealed record GlyphDistortion(double Degrees, int ShiftX, int ShiftY, double Specks)
{
    /// <summary>Share of pixels blackened in texts of other scripts.</summary>
    public const double SpecksElsewhere = 0.001;

    /// <summary>Whether a text gets all of it: every character in U+0000-024F, 0370-03FF, 0400-052F or 0530-058F.</summary>
    internal static bool IsWhole(string text)
    {
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (rune.Value is not (<= 0x24F or (>= 0x370 and <= 0x3FF) or (>= 0x400 and <= 0x52F) or (>= 0x530 and <= 0x58F)))
                return false;
        }

        return true;
    }
}

namespace Serving.Glyphs.Embeddings;

/// <summary>
/// The order in which a cell's pixels become bits: by distance from the point (G/2, G/2), then by angle from -π to π.
/// Compared in integers, so the order is the same on every machine.
/// </summary>
internal static class PolarOrder
{
    /// <summary>[G²] pixel indices <c>y * G + x</c>, in the order of their bits.</summary>
    public static int[] Of(int cellPixels)
    {
        int[] pixels = [.. Enumerable.Range(0, cellPixels * cellPixels)];
        Array.Sort(pixels, (a, b) => Compare(FromCentre(a, cellPixels), FromCentre(b, cellPixels)));
        return pixels;
    }

    private static (int X, int Y) FromCentre(int pixel, int cellPixels) =>
        (pixel % cellPixels - cellPixels / 2, pixel / cellPixels - cellPixels / 2);

    private static int Compare((int X, int Y) a, (int X, int Y) b)
    {
        int byRadius = (a.X * a.X + a.Y * a.Y).CompareTo(b.X * b.X + b.Y * b.Y);
        if (byRadius != 0) return byRadius;
        int bySector = Sector(a).CompareTo(Sector(b));
        // Within a half plane the one that turns counter-clockwise to the other has the smaller angle.
        return bySector != 0 ? bySector : (b.X * a.Y).CompareTo(a.X * b.Y);
    }

    /// <summary>0: angle in (-π, 0); 1: 0; 2: (0, π); 3: π.</summary>
    private static int Sector((int X, int Y) p) => p.Y < 0 ? 0 : p.Y > 0 ? 2 : p.X >= 0 ? 1 : 3;
}

namespace Serving.Glyphs.Embeddings;

/// <summary>
/// Carries a <see cref="GlyphDistortion"/> out in Pillow's own arithmetic, whose 16.16 and 8.24 fixed-point numbers decide
/// about single pixels.
/// </summary>
/// <remarks>Not thread-safe: one a canvas.</remarks>
internal sealed class Distorter(GlyphDistortion distortion)
{
    private const uint Seed = 42;
    private const double BlurRadius = 0.5;
    private const int BlurPasses = 3;

    private readonly Specks _specks = new(distortion.Specks);
    private readonly Specks _specksElsewhere = new(GlyphDistortion.SpecksElsewhere);
    private bool[] _turned = [];
    private byte[] _grey = [];
    private byte[] _line = [];

    /// <summary>Distorts a picture in place.</summary>
    /// <param name="ink">[height, width], true where black.</param>
    /// <param name="width">Pixels a row.</param>
    /// <param name="whole">Whether all of it is done, or only the few specks of other scripts.</param>
    public void Apply(Span<bool> ink, int width, bool whole)
    {
        if (!whole)
        {
            _specksElsewhere.Blacken(ink);
            return;
        }

        TurnAndShift(ink, width);
        _specks.Blacken(ink);
        BlurAndThreshold(ink, width);
    }

    /// <summary>Pillow's rotate (ImagingTransformAffine, 16.16 fixed point) and a paste of the result beside itself.</summary>
    private void TurnAndShift(Span<bool> ink, int width)
    {
        int height = ink.Length / width;
        if (_turned.Length < ink.Length) _turned = new bool[ink.Length];
        ink.CopyTo(_turned);
        ink.Clear();
        double radians = -distortion.Degrees * (Math.PI / 180);
        double cosine = Math.Round(Math.Cos(radians), 15), sine = Math.Round(Math.Sin(radians), 15);
        double centreX = width / 2.0, centreY = height / 2.0;
        double originX = (cosine * -centreX) + (sine * -centreY) + centreX, originY = (-sine * -centreX) + (cosine * -centreY) + centreY;
        int stepX = Fixed(cosine), rowX = Fixed(sine), stepY = Fixed(-sine), rowY = Fixed(cosine);
        int startX = Fixed(originX + (cosine * 0.5) + (sine * 0.5)), startY = Fixed(originY + (-sine * 0.5) + (cosine * 0.5));
        for (int y = 0; y < height; y++, startX += rowX, startY += rowY)
        {
            (int sourceX, int sourceY) = (startX, startY);
            for (int x = 0; x < width; x++, sourceX += stepX, sourceY += stepY)
            {
                (int fromX, int fromY, int toX, int toY) = (sourceX >> 16, sourceY >> 16, x + distortion.ShiftX, y + distortion.ShiftY);
                if ((uint)fromX < (uint)width && (uint)fromY < (uint)height && (uint)toX < (uint)width && (uint)toY < (uint)height)
                    ink[(toY * width) + toX] = _turned[(fromY * width) + fromX];
            }
        }
    }

    private static int Fixed(double value) => (int)Math.Floor((value * 65536) + 0.5);

    /// <summary>Pillow's Gaussian blur of radius 1/2: three box blurs each way, of a box hardly wider than a pixel.</summary>
    private void BlurAndThreshold(Span<bool> ink, int width)
    {
        if (_grey.Length < ink.Length) _grey = new byte[ink.Length];
        Span<byte> grey = _grey.AsSpan(0, ink.Length);
        for (int i = 0; i < ink.Length; i++) grey[i] = ink[i] ? (byte)0 : (byte)255;
        for (int start = 0; start < ink.Length; start += width) BlurLine(grey[start..], width, 1);
        for (int start = 0; start < width; start++) BlurLine(grey[start..], ink.Length / width, width);
        for (int i = 0; i < ink.Length; i++) ink[i] = grey[i] < 128;
    }

    private void BlurLine(Span<byte> pixels, int count, int stride)
    {
        (uint inner, uint outer) = BoxWeights;
        if (_line.Length < count) _line = new byte[count];
        for (int pass = 0; pass < BlurPasses; pass++)
        {
            for (int i = 0; i < count; i++) _line[i] = pixels[i * stride];
            for (int i = 0; i < count; i++)
            {
                uint neighbours = (uint)(_line[Math.Max(i - 1, 0)] + _line[Math.Min(i + 1, count - 1)]);
                pixels[i * stride] = (byte)(((_line[i] * inner) + (neighbours * outer) + (1 << 23)) >> 24);
            }
        }
    }

    /// <summary>Weights of a pixel and of each neighbour in 8.24: Pillow's box of the same variance as the Gaussian.</summary>
    private static (uint Inner, uint Outer) BoxWeights { get; } = Weigh(BlurRadius * BlurRadius / BlurPasses);

    private static (uint Inner, uint Outer) Weigh(double variance)
    {
        float radius = (float)(-3 * variance / (6 * (variance - 1)));
        uint inner = (uint)((1 << 24) / ((radius * 2) + 1));
        return (inner, ((1 << 24) - inner) / 2);
    }

    /// <summary>The pixels, in reading order, whose random number is below a share: the same ones for every token.</summary>
    private sealed class Specks(double share)
    {
        private readonly MersenneTwister _random = new(Seed);
        private readonly List<int> _pixels = [];
        private int _drawn;

        public void Blacken(Span<bool> ink)
        {
            for (; _drawn < ink.Length; _drawn++)
                if (_random.NextDouble() < share) _pixels.Add(_drawn);
            foreach (int pixel in _pixels)
            {
                if (pixel >= ink.Length) return;
                ink[pixel] = true;
            }
        }
    }
}

using System.IO.Compression;

namespace Serving.Glyphs.Fonts;

/// <summary>
/// A font as one small file: runs of consecutive code points of one width, then all bitmaps, Brotli-compressed.
/// Pictures of neighbouring code points resemble each other, which is what the compressor lives on.
/// </summary>
/// <remarks>Layout before compression, integers 7-bit encoded: magic, font name, number of runs,
/// per run (gap to the previous run's end, length, width / 8, offset of combining marks + 65, 0 for other characters), then the
/// bitmaps in that order.</remarks>
public static class GlyphAtlas
{
    private const string Magic = "glyph-atlas-2";

    private const int OffsetBase = 65;

    private readonly record struct Run(int First, int Length, int Width, int? Offset);

    /// <summary>Writes a font as an atlas; the same font always gives the same bytes.</summary>
    public static void Write(GlyphFont font, string name, Stream output)
    {
        using var brotli = new BrotliStream(output, CompressionLevel.SmallestSize, leaveOpen: true);
        using var writer = new BinaryWriter(brotli);
        List<Run> runs = RunsOf(font);
        writer.Write(Magic);
        writer.Write(name);
        writer.Write7BitEncodedInt(runs.Count);
        int end = 0;
        foreach (Run run in runs)
        {
            writer.Write7BitEncodedInt(run.First - end);
            writer.Write7BitEncodedInt(run.Length);
            writer.Write7BitEncodedInt(run.Width / 8);
            writer.Write7BitEncodedInt(run.Offset + OffsetBase ?? 0);
            end = run.First + run.Length;
        }

        foreach (int codePoint in font.CodePoints)
        {
            font.TryGet(codePoint, out GlyphBitmap glyph);
            writer.Write(glyph.Rows.Span);
        }
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <exception cref="InvalidDataException">The stream is no atlas.</exception>
    public static GlyphFont Read(Stream input)
    {
        using var brotli = new BrotliStream(input, CompressionMode.Decompress, leaveOpen: true);
        using var reader = new BinaryReader(brotli);
        if (reader.ReadString() != Magic) throw new InvalidDataException($"Expected a glyph atlas beginning with '{Magic}'.");
        string name = reader.ReadString();
        var runs = new Run[reader.Read7BitEncodedInt()];
        int end = 0;
        for (int i = 0; i < runs.Length; i++)
        {
            (int gap, int length, int bytes, int offset) = (reader.Read7BitEncodedInt(), reader.Read7BitEncodedInt(),
                reader.Read7BitEncodedInt(), reader.Read7BitEncodedInt());
            var run = new Run(end + gap, length, 8 * bytes, offset == 0 ? null : offset - OffsetBase);
            runs[i] = run;
            end = run.First + run.Length;
        }

        return new GlyphFont(name, ReadBitmaps(reader, runs));
    }

    private static List<KeyValuePair<int, GlyphBitmap>> ReadBitmaps(BinaryReader reader, Run[] runs)
    {
        var glyphs = new List<KeyValuePair<int, GlyphBitmap>>(runs.Sum(run => run.Length));
        foreach (Run run in runs)
        {
            int bytes = run.Width / 8 * GlyphBitmap.Height;
            byte[] bitmaps = reader.ReadBytes(bytes * run.Length);
            if (bitmaps.Length != bytes * run.Length) throw new InvalidDataException("The glyph atlas ends within its bitmaps.");
            for (int i = 0; i < run.Length; i++)
                glyphs.Add(new(run.First + i, new GlyphBitmap(run.Width, bitmaps.AsMemory(i * bytes, bytes), run.Offset)));
        }

        return glyphs;
    }

    private static List<Run> RunsOf(GlyphFont font)
    {
        var runs = new List<Run>();
        foreach (int codePoint in font.CodePoints)
        {
            font.TryGet(codePoint, out GlyphBitmap glyph);
            if (runs.Count > 0 && runs[^1] is var last && last.First + last.Length == codePoint && last.Width == glyph.Width
                && last.Offset == glyph.Offset)
                runs[^1] = last with { Length = last.Length + 1 };
            else
                runs.Add(new Run(codePoint, 1, glyph.Width, glyph.Offset));
        }

        return runs;
    }
}

using System.Collections.Frozen;

namespace Serving.Glyphs.Fonts;

/// <summary>A bitmap font: code point to <see cref="GlyphBitmap"/>. Immutable, so safe from any thread.</summary>
public sealed class GlyphFont
{
    private readonly FrozenDictionary<int, GlyphBitmap> _glyphs;

    internal GlyphFont(string name, IEnumerable<KeyValuePair<int, GlyphBitmap>> glyphs)
    {
        Name = name;
        _glyphs = glyphs.ToFrozenDictionary();
    }

    /// <summary>The bundled GNU Unifont, decoded on first use.</summary>
    public static GlyphFont Unifont => LazyUnifont.Value;

    /// <summary>Family and version, such as <c>GNU Unifont 15.0.01</c>; a file's name for a font read from disk.</summary>
    public string Name { get; }

    /// <summary>Characters that have a picture.</summary>
    public int Count => _glyphs.Count;

    /// <summary>The code points that have a picture, ascending.</summary>
    public IEnumerable<int> CodePoints => _glyphs.Keys.Order();

    /// <summary>Reads a font in GNU Unifont's .hex format.</summary>
    /// <param name="path">Lines of <c>code point:bitmap</c> in hexadecimal, 32 or 64 digits of bitmap. A
    /// <c>plane00-combining.txt</c> beside it, if there is one, tells where combining marks hang.</param>
    /// <exception cref="FontFormatException">A line is broken; the message has path, line, expected and found.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static GlyphFont Load(string path) => HexFont.Read(path);

    /// <summary>The picture of a code point; false where the font has none (it is then drawn blank).</summary>
    public bool TryGet(int codePoint, out GlyphBitmap glyph) => _glyphs.TryGetValue(codePoint, out glyph);

    private static readonly Lazy<GlyphFont> LazyUnifont = new(() =>
    {
        using Stream resource = typeof(GlyphFont).Assembly.GetManifestResourceStream("unifont.atlas")
            ?? throw new InvalidOperationException("The resource unifont.atlas is missing from the assembly.");
        return GlyphAtlas.Read(resource);
    });
}

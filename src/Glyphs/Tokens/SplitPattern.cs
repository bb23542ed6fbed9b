using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Serving.Glyphs.Tokens;

/// <summary>Cuts text into pieces that are encoded one by one: every match, and what lies between matches. Immutable.</summary>
/// <remarks>The library whose patterns these are sees code points; .NET sees UTF-16 units, to which an emoji is two characters
/// of no class. So text beyond the basic plane is matched by its shadow, where every such code point is one character of the
/// same general category.</remarks>
internal sealed class SplitPattern
{
    /// <summary>The pattern of GPT-2, which <c>ByteLevel</c> uses by itself.</summary>
    public const string Gpt2 = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    /// <summary>Constructs that .NET reads, but not as the library does that the patterns are written for.</summary>
    private const string Ambiguous = @"\\[wWbBhHRXKGyYZ]|&&|\[\[|-\[|\[:|\$|(?<!\[)\^|\(\?[a-z]*[mxn]";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly char[] OfCategory = MakeCategories();

    private readonly Regex _regex;

    /// <exception cref="ArgumentException">.NET cannot match the pattern, or would match it differently.</exception>
    public SplitPattern(string pattern)
    {
        if (Regex.Match(pattern, Ambiguous) is { Success: true } part)
            throw new ArgumentException($"'{part.Value}' means something else to .NET.", nameof(pattern));
        if (pattern.Any(char.IsSurrogate)) throw new ArgumentException("Only the basic plane can be named.", nameof(pattern));
        Pattern = pattern;
        _regex = Compile(pattern);
    }

    /// <summary>As the file has it.</summary>
    public string Pattern { get; }

    /// <summary>Encodes a text piece by piece.</summary>
    /// <exception cref="RegexMatchTimeoutException">One match took seconds: the pattern backtracks without end.</exception>
    public void Encode(ReadOnlySpan<char> text, PieceEncoder pieces, ref TokenBuffer output)
    {
        if (!text.ContainsAnyInRange('\uD800', '\uDFFF'))
        {
            EncodeShadowed(text, text, pieces, ref output);
            return;
        }

        char[] rented = ArrayPool<char>.Shared.Rent(text.Length);
        EncodeShadowed(text, rented.AsSpan(0, CastShadow(text, rented)), pieces, ref output);
        ArrayPool<char>.Shared.Return(rented);
    }

    private void EncodeShadowed(ReadOnlySpan<char> text, ReadOnlySpan<char> shadow, PieceEncoder pieces, ref TokenBuffer output)
    {
        int done = 0;
        foreach (ValueMatch match in _regex.EnumerateMatches(shadow))
        {
            EncodePiece(ref text, match.Index - done, pieces, ref output);
            EncodePiece(ref text, match.Length, pieces, ref output);
            done = match.Index + match.Length;
        }

        EncodePiece(ref text, shadow.Length - done, pieces, ref output);
    }

    /// <summary>Takes as many code points off the text as there are characters in the shadow's piece.</summary>
    private static void EncodePiece(ref ReadOnlySpan<char> text, int shadowLength, PieceEncoder pieces, ref TokenBuffer output)
    {
        int length = 0;
        for (int i = 0; i < shadowLength; i++)
            length += length + 1 < text.Length && char.IsSurrogatePair(text[length], text[length + 1]) ? 2 : 1;
        if (length > 0) pieces.Encode(text[..length], ref output);
        text = text[length..];
    }

    private static int CastShadow(ReadOnlySpan<char> text, Span<char> shadow)
    {
        int length = 0;
        foreach (Rune codePoint in text.EnumerateRunes())
            shadow[length++] = codePoint.IsBmp ? (char)codePoint.Value : OfCategory[(int)Rune.GetUnicodeCategory(codePoint)];
        return length;
    }

    private static Regex Compile(string pattern)
    {
        try
        {
            return new(pattern, RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);
        }
        catch (NotSupportedException)
        {
            return new(pattern, RegexOptions.CultureInvariant | RegexOptions.Compiled, Patience);
        }
    }

    /// <summary>The last character of the basic plane in every category.</summary>
    private static char[] MakeCategories()
    {
        var characters = new char[Enum.GetValues<UnicodeCategory>().Length];
        for (int value = 0; value <= char.MaxValue; value++) characters[(int)char.GetUnicodeCategory((char)value)] = (char)value;
        return characters;
    }
}

using System.Text;

namespace Serving.Glyphs.Tokens;

/// <summary>From code points to the ids that merging starts with. Immutable.</summary>
/// <remarks>Looks up code points, never UTF-16 halves: in the glyph family's vocabulary the ids of the surrogate range
/// belong to n-grams. A surrogate without its partner is an unknown code point.</remarks>
internal sealed class CodePointSymbols(BytePairModel model)
{
    private const int Absent = -1;

    private readonly Vocabulary _vocabulary = model.Vocabulary;
    private readonly int _unknownId = model.UnknownId ?? Absent;

    /// <summary>The id of a code point's own token, or -1.</summary>
    public int this[Rune codePoint]
    {
        get
        {
            if (codePoint.IsBmp) return _vocabulary.Find((char)codePoint.Value);
            Span<char> pair = stackalloc char[2];
            return _vocabulary.Find(pair[..codePoint.EncodeToUtf16(pair)]);
        }
    }

    /// <summary>Writes the ids of a text's code points.</summary>
    /// <param name="text">UTF-16.</param>
    /// <param name="symbols">At least as long as the text.</param>
    /// <returns>How many ids were written.</returns>
    public int Read(ReadOnlySpan<char> text, Span<int> symbols)
    {
        int count = 0;
        bool afterUnknown = false;
        for (int i = 0; i < text.Length; i++)
        {
            int id = _vocabulary.Find(text[i]);
            if (id < 0 && i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1]))
                id = _vocabulary.Find(text.Slice(i++, 2));
            if (id >= 0) symbols[count++] = id;
            else if (_unknownId >= 0 && !(afterUnknown && model.FuseUnknown)) symbols[count++] = _unknownId;
            afterUnknown = id < 0;
        }

        return count;
    }
}

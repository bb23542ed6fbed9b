using System.Buffers;

namespace Serving.Glyphs.Tokens;

/// <summary>Finds added tokens in text: the leftmost first, the longest of those that start there. Immutable.</summary>
internal sealed class AddedTokenMatcher
{
    private readonly Dictionary<string, AddedToken> _tokens;
    private readonly SearchValues<string> _contents;
    private readonly int[] _lengths;
    private readonly bool _allSpecial;

    public AddedTokenMatcher(IEnumerable<AddedToken> tokens)
    {
        _tokens = tokens.ToDictionary(token => token.Content, StringComparer.Ordinal);
        _contents = SearchValues.Create([.. _tokens.Keys], StringComparison.Ordinal);
        _lengths = [.. _tokens.Keys.Select(content => content.Length).Distinct().OrderDescending()];
        _allSpecial = _tokens.Values.All(token => token.Special);
    }

    /// <summary>Finds the next added token.</summary>
    /// <param name="text">The whole piece that is searched.</param>
    /// <param name="from">Where to search; afterwards, where to search next.</param>
    /// <param name="specialTokens"><see cref="SpecialTokens.Text"/> passes over special tokens. As in the Hugging Face
    /// library, nothing is looked for inside what was passed over.</param>
    /// <param name="match">What was found.</param>
    public bool TryFind(ReadOnlySpan<char> text, ref int from, SpecialTokens specialTokens, out AddedTokenMatch match)
    {
        match = default;
        if (_allSpecial && specialTokens == SpecialTokens.Text) return false;
        while (from < text.Length)
        {
            int offset = text[from..].IndexOfAny(_contents);
            if (offset < 0) return false;
            int start = from + offset;
            AddedToken token = LongestAt(text[start..]);
            from = start + token.Content.Length;
            if (token.Special && specialTokens == SpecialTokens.Text) continue;
            int before = token.TakesSpaceBefore ? text[..start].TrimEnd().Length : start;
            match = new(token.Id, before, EndWithSpace(text, from, token));
            return true;
        }

        return false;
    }

    private static int EndWithSpace(ReadOnlySpan<char> text, int end, AddedToken token) =>
        token.TakesSpaceAfter ? text.Length - text[end..].TrimStart().Length : end;

    private AddedToken LongestAt(ReadOnlySpan<char> text)
    {
        var tokens = _tokens.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (int length in _lengths)
            if (length <= text.Length && tokens.TryGetValue(text[..length], out AddedToken token)) return token;
        throw new InvalidOperationException("The search found an added token where there is none.");
    }
}

namespace Serving.Inference.Speculation;

/// <summary>Guesses that a text repeats itself: what followed its last few tokens when they last stood there.</summary>
internal static class PromptLookup
{
    private const int LongestMatch = 3;
    private const int ShortestMatch = 2;

    /// <summary>The guess for the tokens after a text; empty when its end stands nowhere else in it.</summary>
    /// <param name="tokens">The text so far.</param>
    /// <param name="most">The most tokens of the guess.</param>
    public static ReadOnlySpan<int> Guess(ReadOnlySpan<int> tokens, int most)
    {
        for (int match = LongestMatch; match >= ShortestMatch && match < tokens.Length; match--)
        {
            int place = tokens[..^1].LastIndexOf(tokens[^match..]);
            if (place >= 0)
                return tokens.Slice(place + match, Math.Min(most, tokens.Length - place - match));
        }
        return [];
    }
}

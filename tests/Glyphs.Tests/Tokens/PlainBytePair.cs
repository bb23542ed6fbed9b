namespace Serving.Glyphs.Tests.Tokens;

/// <summary>Byte-pair encoding as its definition reads: look at every pair, merge the best, start again. The scalar twin.</summary>
internal sealed class PlainBytePair(IReadOnlyList<string> vocabulary, IReadOnlyList<(string Left, string Right)> merges)
{
    private const int Unknown = 0;

    private readonly Dictionary<(string, string), int> _ranks = merges.Index().ToDictionary(merge => merge.Item, merge => merge.Index);
    private readonly Dictionary<string, int> _ids = vocabulary.Index().ToDictionary(token => token.Item, token => token.Index);

    public int[] Encode(string text)
    {
        List<string> word = [.. text.EnumerateRunes().Select(rune => _ids.ContainsKey(rune.ToString()) ? rune.ToString() : vocabulary[Unknown])];
        while (Best(word) is ( >= 0 and var at, _))
        {
            word[at] += word[at + 1];
            word.RemoveAt(at + 1);
        }

        return [.. word.Select(token => _ids[token])];
    }

    private (int At, int Rank) Best(List<string> word)
    {
        (int At, int Rank) best = (-1, merges.Count);
        for (int at = 0; at + 1 < word.Count; at++)
            if (_ranks.TryGetValue((word[at], word[at + 1]), out int rank) && rank < best.Rank) best = (at, rank);
        return best;
    }
}

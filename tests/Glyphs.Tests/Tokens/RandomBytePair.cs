namespace Serving.Glyphs.Tests.Tokens;

/// <summary>A random vocabulary and random merges over few symbols, so that merges meet and compete everywhere.</summary>
internal sealed class RandomBytePair
{
    private static readonly string[] Symbols = ["a", "b", "c", " ", "\u0301", "你", "😀"];

    /// <summary>Symbols of texts; the last two are in no vocabulary.</summary>
    private static readonly string[] TextSymbols = [.. Symbols, "z", "𝒳"];

    public RandomBytePair(Random random, bool mergeUnknown = false)
    {
        string[] alphabet = Symbols[..random.Next(1, Symbols.Length + 1)];
        List<string> tokens = ["<u>", .. alphabet];
        for (int wanted = random.Next(1, 30), tries = 0; tokens.Count < wanted + alphabet.Length && tries < 200; tries++)
        {
            string token = Pick(random, tokens, mergeUnknown) + Pick(random, tokens, mergeUnknown);
            if (token.Length <= 24 && !tokens.Contains(token)) tokens.Add(token);
        }

        Vocabulary = tokens;
        (string, string)[] merges = [.. AllMerges(tokens)];
        random.Shuffle(merges);
        Merges = merges[..random.Next(merges.Length / 2, merges.Length + 1)];
    }

    public IReadOnlyList<string> Vocabulary { get; }

    public IReadOnlyList<(string Left, string Right)> Merges { get; }

    public static string Text(Random random, int symbols) =>
        string.Concat(Enumerable.Range(0, symbols).Select(_ => TextSymbols[random.Next(random.Next(1, TextSymbols.Length + 1))]));

    private static string Pick(Random random, List<string> tokens, bool mergeUnknown) =>
        tokens[random.Next(mergeUnknown ? 0 : 1, tokens.Count)];

    private static IEnumerable<(string, string)> AllMerges(List<string> tokens) =>
        from left in tokens
        from right in tokens
        where tokens.Contains(left + right)
        select (left, right);
}

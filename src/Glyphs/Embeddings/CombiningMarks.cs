namespace Serving.Glyphs.Embeddings;

/// <summary>What HarfBuzz does with some marks before it draws them.</summary>
internal static class CombiningMarks
{
    // Unicode's canonical decompositions of marks, none of which is ever composed again.
    private static readonly Dictionary<int, int[]> Parts = new()
    {
        [0x340] = [0x300],
        [0x341] = [0x301],
        [0x344] = [0x308, 0x301],
        [0xF73] = [0xF71, 0xF72],
        [0xF76] = [0xFB2, 0xF80],
        [0xF78] = [0xFB3, 0xF80],
        [0xF81] = [0xF71, 0xF80],
        [0xF93] = [0xF92, 0xFB7],
        [0xF9D] = [0xF9C, 0xFB7],
        [0xFA2] = [0xFA1, 0xFB7],
        [0xFA7] = [0xFA6, 0xFB7],
        [0xFAC] = [0xFAB, 0xFB7],
        [0xFB9] = [0xF90, 0xFB5],
    };

    /// <summary>The marks that one is drawn as; none = it is drawn as itself.</summary>
    public static int[] PartsOf(int mark) => Parts.GetValueOrDefault(mark, []);

    /// <summary>Whether a mark is moved before the letter it belongs to: Khmer's vowels E, AE and AI.</summary>
    public static bool StandsBefore(int mark) => mark is >= 0x17C1 and <= 0x17C3;
}

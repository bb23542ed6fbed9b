using System.Buffers;

namespace Serving.Glyphs.Tokens;

/// <summary>
/// Byte-pair merging: of all pairs of neighbours, the one of the lowest rank merges first, the leftmost among equals, until
/// no pair has a merge. Immutable, so any number of threads may use it.
/// </summary>
/// <param name="pairs">The ranks.</param>
/// <param name="longWord">From this many symbols on, a word is merged with a queue in O(n log n); shorter ones are faster
/// with a plain search for the least rank.</param>
internal sealed class BytePairMerger(PairTable pairs, int longWord = BytePairMerger.LongWordSymbols)
{
    private const int LongWordSymbols = 48;

    /// <summary>Merges symbols in place.</summary>
    /// <returns>How many tokens are left; they stand at the front.</returns>
    public int Merge(Span<int> symbols)
    {
        if (symbols.Length < 2) return symbols.Length;
        int[] rented = ArrayPool<int>.Shared.Rent(symbols.Length);
        int kept = MergeWords(symbols, rented.AsSpan(0, symbols.Length));
        ArrayPool<int>.Shared.Return(rented);
        return kept;
    }

    /// <summary>Cuts where nothing can merge across, and merges what lies between.</summary>
    /// <param name="symbols">The symbols, then the tokens.</param>
    /// <param name="ranks">Scratch: <c>ranks[i]</c> is the rank of symbol i and its right neighbour.</param>
    private int MergeWords(Span<int> symbols, Span<int> ranks)
    {
        int kept = 0, start = 0, least = PairTable.Apart;
        for (int i = 0; i < symbols.Length; i++)
        {
            int rank = i + 1 < symbols.Length ? pairs.Rank(symbols[i], symbols[i + 1]) : PairTable.Apart;
            ranks[i] = rank;
            least = Math.Min(least, rank);
            if (rank != PairTable.Apart) continue;
            Span<int> word = symbols[start..(i + 1)];
            int length = least >= PairTable.Adjoining ? word.Length
                : word.Length < longWord ? MergeShort(word, ranks[start..(i + 1)])
                : LongWord.Merge(pairs, word, ranks[start..(i + 1)]);
            word[..length].CopyTo(symbols[kept..]);
            kept += length;
            start = i + 1;
            least = PairTable.Apart;
        }

        return kept;
    }

    /// <summary>Finds the least rank by looking at all, and closes the gap of each merge.</summary>
    private int MergeShort(Span<int> symbols, Span<int> ranks)
    {
        int length = symbols.Length;
        while (true)
        {
            int at = 0;
            for (int i = 1; i < length - 1; i++)
                if (ranks[i] < ranks[at]) at = i;
            if (ranks[at] >= PairTable.Adjoining) return length;
            symbols[at] = pairs.Result(ranks[at]);
            symbols[(at + 2)..length].CopyTo(symbols[(at + 1)..]);
            ranks[(at + 1)..length].CopyTo(ranks[at..]);
            length--;
            if (at + 1 < length) ranks[at] = pairs.Rank(symbols[at], symbols[at + 1]);
            if (at > 0) ranks[at - 1] = pairs.Rank(symbols[at - 1], symbols[at]);
        }
    }
}

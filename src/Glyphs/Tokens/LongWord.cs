using System.Buffers;

namespace Serving.Glyphs.Tokens;

/// <summary>A word that is being merged: its symbols as a linked list, its possible merges in a queue.</summary>
/// <remarks>Every merge costs O(log n): a symbol keeps its index, the right half of a merge drops out of the list, and queue
/// entries that came to describe another pair are left to be skipped.</remarks>
internal readonly ref struct LongWord
{
    private readonly PairTable _pairs;
    private readonly MergeQueue _queue;
    private readonly Span<int> _symbols;
    private readonly Span<int> _ranks;
    private readonly Span<int> _next;
    private readonly Span<int> _previous;

    private LongWord(PairTable pairs, MergeQueue queue, Span<int> symbols, Span<int> ranks, Span<int> links)
    {
        _pairs = pairs;
        _queue = queue;
        _symbols = symbols;
        _ranks = ranks;
        _next = links[..symbols.Length];
        _previous = links[symbols.Length..];
        for (int i = 0; i < symbols.Length; i++) (_next[i], _previous[i]) = (i + 1, i - 1);
    }

    /// <summary>Merges a word in place.</summary>
    /// <param name="pairs">The ranks.</param>
    /// <param name="symbols">The symbols, then the tokens.</param>
    /// <param name="ranks">The rank of each symbol with its right neighbour; the last is <see cref="PairTable.Apart"/>.</param>
    /// <returns>How many tokens are left.</returns>
    public static int Merge(PairTable pairs, Span<int> symbols, Span<int> ranks)
    {
        int[] links = ArrayPool<int>.Shared.Rent(2 * symbols.Length);
        using MergeQueue queue = new(ranks);
        LongWord word = new(pairs, queue, symbols, ranks, links.AsSpan(0, 2 * symbols.Length));
        word.MergeAll();
        int left = word.Compact();
        ArrayPool<int>.Shared.Return(links);
        return left;
    }

    private void MergeAll()
    {
        // The token at a position only ever grows, so a pair that has changed never has its old rank again.
        while (_queue.TryPop(out int rank, out int at))
            if (_ranks[at] == rank) MergeAt(at, rank);
    }

    private void MergeAt(int at, int rank)
    {
        int right = _next[at], beyond = _next[right], before = _previous[at];
        _symbols[at] = _pairs.Result(rank);
        _ranks[right] = PairTable.Apart;
        _next[at] = beyond;
        if (beyond < _symbols.Length) _previous[beyond] = at;
        Meet(at, beyond);
        if (before >= 0) Meet(before, at);
    }

    private void Meet(int left, int right)
    {
        int rank = right < _symbols.Length ? _pairs.Rank(_symbols[left], _symbols[right]) : PairTable.Apart;
        _ranks[left] = rank;
        if (rank < PairTable.Adjoining) _queue.Push(rank, left);
    }

    private int Compact()
    {
        int kept = 0;
        for (int i = 0; i < _symbols.Length; i = _next[i]) _symbols[kept++] = _symbols[i];
        return kept;
    }
}

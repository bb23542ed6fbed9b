using System.Buffers;

namespace Serving.Glyphs.Tokens;

/// <summary>The merges that wait, least rank first, leftmost among equals. Rented memory; one thread.</summary>
/// <remarks>The many merges that can be done at the start are sorted once and read in order; only those that arise on the way
/// go through a heap, which therefore stays small and in the cache. Four children a node: half as many levels as with two.
/// </remarks>
internal sealed class MergeQueue : IDisposable
{
    private const int Children = 4;
    private const int DigitBits = 8;
    private const int Digits = 1 << DigitBits;

    private readonly ulong[] _sorted;
    private readonly int _sortedCount;
    private ulong[] _heap;
    private int _next;
    private int _heapCount;

    /// <summary>Takes the merges of a word: rank by position, those from <see cref="PairTable.Adjoining"/> on are none.</summary>
    public MergeQueue(ReadOnlySpan<int> ranks)
    {
        _sorted = ArrayPool<ulong>.Shared.Rent(ranks.Length);
        _heap = ArrayPool<ulong>.Shared.Rent(ranks.Length);
        int highest = 0;
        for (int position = 0; position < ranks.Length; position++)
        {
            if (ranks[position] >= PairTable.Adjoining) continue;
            highest = Math.Max(highest, ranks[position]);
            _sorted[_sortedCount++] = Key(ranks[position], position);
        }

        for (int shift = 32; shift < 64 && highest >> (shift - 32) > 0; shift += DigitBits)
        {
            SortByDigit(_sorted.AsSpan(0, _sortedCount), _heap, shift);
            (_sorted, _heap) = (_heap, _sorted);
        }
    }

    public void Push(int rank, int position)
    {
        if (_heapCount == _heap.Length) Grow();
        ulong key = Key(rank, position);
        int at = _heapCount++;
        while (at > 0)
        {
            int parent = (at - 1) / Children;
            if (_heap[parent] <= key) break;
            _heap[at] = _heap[parent];
            at = parent;
        }

        _heap[at] = key;
    }

    public bool TryPop(out int rank, out int position)
    {
        ulong sorted = _next < _sortedCount ? _sorted[_next] : ulong.MaxValue;
        ulong pushed = _heapCount > 0 ? _heap[0] : ulong.MaxValue;
        ulong least = Math.Min(sorted, pushed);
        (rank, position) = ((int)(least >> 32), (int)least);
        if (least == ulong.MaxValue) return false;
        if (sorted < pushed) _next++;
        else if (--_heapCount > 0) Sink(_heap[_heapCount]);
        return true;
    }

    public void Dispose()
    {
        ArrayPool<ulong>.Shared.Return(_sorted);
        ArrayPool<ulong>.Shared.Return(_heap);
    }

    private static ulong Key(int rank, int position) => (ulong)(uint)rank << 32 | (uint)position;

    /// <summary>One stable pass of a radix sort; the positions are in order from the start.</summary>
    private static void SortByDigit(ReadOnlySpan<ulong> keys, Span<ulong> sorted, int shift)
    {
        Span<int> places = stackalloc int[Digits + 1];
        places.Clear();
        foreach (ulong key in keys) places[((int)(key >> shift) & (Digits - 1)) + 1]++;
        for (int digit = 1; digit < places.Length; digit++) places[digit] += places[digit - 1];
        foreach (ulong key in keys) sorted[places[(int)(key >> shift) & (Digits - 1)]++] = key;
    }

    /// <summary>Puts a key into the heap from the top.</summary>
    private void Sink(ulong key)
    {
        Span<ulong> heap = _heap.AsSpan(0, _heapCount);
        int at = 0;
        for (int child = 1; child < heap.Length; child = (Children * at) + 1)
        {
            int least = child;
            int end = Math.Min(child + Children, heap.Length);
            for (int other = child + 1; other < end; other++)
                if (heap[other] < heap[least]) least = other;
            if (heap[least] >= key) break;
            heap[at] = heap[least];
            at = least;
        }

        heap[at] = key;
    }

    private void Grow()
    {
        ulong[] larger = ArrayPool<ulong>.Shared.Rent(2 * _heap.Length);
        _heap.AsSpan(0, _heapCount).CopyTo(larger);
        ArrayPool<ulong>.Shared.Return(_heap);
        _heap = larger;
    }
}

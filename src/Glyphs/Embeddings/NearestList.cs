namespace Serving.Glyphs.Embeddings;

/// <summary>The best so many of the neighbours that were offered, best first; the lower id among equals.</summary>
/// <remarks>Ids must be offered in ascending order. One thread at a time.</remarks>
internal sealed class NearestList(int capacity)
{
    private readonly Neighbor[] _best = new Neighbor[capacity];
    private int _count;

    /// <summary>Takes a neighbour if it is better than the worst of the list.</summary>
    public void Offer(Neighbor neighbor)
    {
        if (_count == _best.Length && !(neighbor.Cosine > _best[^1].Cosine)) return;
        int place = _count < _best.Length ? _count++ : _count - 1;
        for (; place > 0 && neighbor.Cosine > _best[place - 1].Cosine; place--) _best[place] = _best[place - 1];
        _best[place] = neighbor;
    }

    /// <summary>The best of several lists.</summary>
    public static Neighbor[] Merge(IEnumerable<NearestList> lists, int count) =>
        [.. lists.SelectMany(list => list._best.Take(list._count)).OrderByDescending(one => one.Cosine).ThenBy(one => one.Id).Take(count)];
}

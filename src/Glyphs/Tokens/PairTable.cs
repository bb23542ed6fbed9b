using System.Numerics;
using System.Text;

namespace Serving.Glyphs.Tokens;

/// <summary>
/// What two neighbouring tokens are to each other: the rank of their merge, or whether anything can ever merge across the
/// place where they meet. Immutable.
/// </summary>
/// <remarks>Two characters can end up in one token only where some merge has the first at the end of its left side and the
/// second at the start of its right side. Where none has, the text falls apart into words that are merged one by one with
/// the same result, because merges in different words do not see each other.</remarks>
internal sealed class PairTable
{
    /// <summary>No merge, but the two may come to lie inside one token.</summary>
    public const int Adjoining = int.MaxValue - 1;

    /// <summary>No merge, and no token will ever hold both.</summary>
    public const int Apart = int.MaxValue;

    private const ulong Empty = ulong.MaxValue;
    private const ulong Scatter = 0x9E37_79B9_7F4A_7C15;

    private readonly Slot[] _slots;
    private readonly int _shift;
    private readonly int[] _results;
    private readonly int _absent;

    public PairTable(BytePairModel model, CodePointSymbols symbols)
    {
        HashSet<(int, int)> junctions = [];
        foreach (Merge merge in model.Merges) AddJunction(junctions, model.Vocabulary, symbols, merge);
        int bits = BitOperations.Log2((uint)(model.Merges.Length + junctions.Count) | 1) + 2;
        _slots = new Slot[1 << bits];
        _slots.AsSpan().Fill(new(Empty, 0));
        _shift = 64 - bits;
        _results = Array.ConvertAll(model.Merges, merge => merge.Result);
        _absent = MergesUnknown(model) ? Adjoining : Apart;
        foreach ((int left, int right) in junctions) Set(left, right, Adjoining);
        // A pair that is listed twice has its last rank, as in the Hugging Face library.
        for (int rank = 0; rank < model.Merges.Length; rank++) Set(model.Merges[rank].Left, model.Merges[rank].Right, rank);
    }

    /// <summary>The rank of the merge of two neighbours, <see cref="Adjoining"/> or <see cref="Apart"/>.</summary>
    public int Rank(int left, int right)
    {
        Slot[] slots = _slots;
        ulong key = Key(left, right);
        for (int at = (int)(key * Scatter >> _shift); ; at = (at + 1) & (slots.Length - 1))
        {
            Slot slot = slots[at];
            if (slot.Key == key) return slot.Rank;
            if (slot.Key == Empty) return _absent;
        }
    }

    /// <summary>The token that the merge of a rank makes.</summary>
    public int Result(int rank) => _results[rank];

    private void Set(int left, int right, int rank)
    {
        ulong key = Key(left, right);
        int at = (int)(key * Scatter >> _shift);
        while (_slots[at].Key != Empty && _slots[at].Key != key) at = (at + 1) & (_slots.Length - 1);
        _slots[at] = new(key, rank);
    }

    private static ulong Key(int left, int right) => (ulong)(uint)left << 32 | (uint)right;

    private static void AddJunction(HashSet<(int, int)> junctions, Vocabulary vocabulary, CodePointSymbols symbols, Merge merge)
    {
        Rune.DecodeLastFromUtf16(vocabulary.Text(merge.Left), out Rune last, out _);
        Rune.DecodeFromUtf16(vocabulary.Text(merge.Right), out Rune first, out _);
        (int left, int right) = (symbols[last], symbols[first]);
        // A character without a token of its own is never there to be merged.
        if (left >= 0 && right >= 0) junctions.Add((left, right));
    }

    /// <summary>The unknown token stands for characters that its string does not tell, so no junction can be known.</summary>
    private static bool MergesUnknown(BytePairModel model) =>
        model.UnknownId is int unknown && Array.Exists(model.Merges, merge => merge.Left == unknown || merge.Right == unknown);

    private readonly record struct Slot(ulong Key, int Rank);
}

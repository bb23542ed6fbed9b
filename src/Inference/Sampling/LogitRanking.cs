namespace Serving.Inference.Sampling;

/// <summary>Orders tokens by their logits, best first and the lowest id among equals, no further than somebody looks.</summary>
/// <remarks>A token is one 64-bit key: the logit's bits, made to sort downwards, above the id. Keys differ pairwise, so
/// the order is total and the same everywhere.</remarks>
internal static class LogitRanking
{
    private const int SortedDirectly = 48;

    /// <summary>The key of a token: the better, the smaller.</summary>
    public static ulong Key(float logit, int id)
    {
        uint bits = BitConverter.SingleToUInt32Bits(logit + 0f); // -0 becomes +0, its equal
        uint ascending = (bits & 0x8000_0000) == 0 ? bits | 0x8000_0000 : ~bits;
        return ((ulong)~ascending << 32) | (uint)id;
    }

    /// <summary>The token of a key.</summary>
    public static int Id(ulong key) => (int)(uint)key;

    /// <summary>Puts the best keys in front, in order, until their weights reach a sum or there are enough of them.</summary>
    /// <param name="keys">Reordered.</param>
    /// <param name="most">The most keys wanted, at least 1.</param>
    /// <param name="weights">By id.</param>
    /// <param name="sum">The sum of weights at which to stop; the key that reaches it is included.</param>
    /// <returns>How many keys stand in order, at least 1.</returns>
    public static int TakeBest(Span<ulong> keys, int most, ReadOnlySpan<float> weights, double sum)
    {
        int taken = 0;
        double reached = 0;
        Take(keys, most, weights, sum, ref taken, ref reached);
        return taken;
    }

    /// <summary>The <paramref name="count"/> best tokens of a row.</summary>
    /// <param name="logits">[vocabulary]</param>
    /// <param name="count">0 to 20, at most the vocabulary.</param>
    /// <param name="best">[count], filled with keys, best first.</param>
    public static void Best(ReadOnlySpan<float> logits, int count, Span<ulong> best)
    {
        if (count == 0) return;
        best = best[..count];
        best.Fill(ulong.MaxValue);
        float worst = float.NegativeInfinity;
        for (int id = 0; id < logits.Length; id++)
        {
            if (id >= count && !(logits[id] > worst)) continue;
            int place = best.Length - 1;
            ulong key = Key(logits[id], id);
            for (; place > 0 && best[place - 1] > key; place--) best[place] = best[place - 1];
            best[place] = key;
            if (id >= count - 1) worst = logits[Id(best[^1])];
        }
    }

    /// <summary>Quicksort that leaves off: the better half first, and the worse one only if that was not enough.</summary>
    private static bool Take(
        Span<ulong> keys, int most, ReadOnlySpan<float> weights, double sum, ref int taken, ref double reached)
    {
        while (keys.Length > SortedDirectly)
        {
            int better = Partition(keys);
            if (Take(keys[..better], most, weights, sum, ref taken, ref reached)) return true;
            keys = keys[better..];
        }
        keys.Sort();
        foreach (ulong key in keys)
        {
            taken++;
            reached += weights[Id(key)];
            if (taken >= most || reached >= sum) return true;
        }
        return false;
    }

    /// <summary>Hoare's partition about the median of three: no key of the first part is above one of the second, and
    /// neither is empty, because keys differ and so one of the three is below the pivot and one above.</summary>
    private static int Partition(Span<ulong> keys)
    {
        ulong pivot = Median(keys[0], keys[keys.Length / 2], keys[^1]);
        (int i, int j) = (0, keys.Length - 1);
        while (true)
        {
            while (keys[i] < pivot) i++;
            while (keys[j] > pivot) j--;
            if (i >= j) return j + 1;
            (keys[i], keys[j]) = (keys[j], keys[i]);
            i++;
            j--;
        }
    }

    private static ulong Median(ulong a, ulong b, ulong c) => Math.Max(Math.Min(a, b), Math.Min(Math.Max(a, b), c));
}

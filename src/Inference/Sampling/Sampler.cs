namespace Serving.Inference.Sampling;

/// <summary>Picks a token from a row of logits.</summary>
/// <remarks>The choice depends on the row, the options and the position alone, and on nothing of the machine: the draw runs
/// through the tokens by rank where top-k or top-p ranked them, else by id. Buffers are kept between calls, so a call allocates nothing; not thread-safe, the engine loop owns it.</remarks>
internal sealed class Sampler
{
    private readonly float[] _weights; // [vocabulary]
    private readonly double[] _blockSums; // [vocabulary / BlockLogits, rounded up]
    private readonly ulong[] _keys; // [vocabulary]

    /// <summary>A sampler for rows of <paramref name="vocabularySize"/> logits.</summary>
    public Sampler(int vocabularySize)
    {
        _weights = new float[vocabularySize];
        _blockSums = new double[(vocabularySize + LogitMath.BlockLogits - 1) / LogitMath.BlockLogits];
        _keys = new ulong[vocabularySize];
    }

    /// <summary>The chosen token.</summary>
    /// <param name="logits">[vocabulary]; -infinity bans a token.</param>
    /// <param name="options">Temperature, cuts and seed; penalties are not this method's business.</param>
    /// <param name="position">How many tokens the request generated before.</param>
    /// <exception cref="ArithmeticException">The row has no finite maximum.</exception>
    public int Sample(ReadOnlySpan<float> logits, in SamplingOptions options, int position)
    {
        float max = LogitMath.FiniteMax(logits);
        if (options.Temperature == 0 || options.TopK == 1) return LogitMath.FirstIndexOf(logits, max);
        double total = LogitMath.Weigh(logits, max, options.Temperature, _weights, _blockSums);
        double draw = Philox.NextDouble(options.Seed, (ulong)position);
        return options is { TopP: >= 1, TopK: 0, MinP: <= 0 }
            ? PickFromAll(draw * total)
            : PickFromBest(logits, options, draw, total);
    }

    private int PickFromAll(double target)
    {
        (int chosen, double rest) = (0, target);
        for (int block = 0; block < _blockSums.Length; block++)
        {
            if (_blockSums[block] == 0) continue;
            (chosen, rest) = (block, target);
            if (target < _blockSums[block]) break;
            target -= _blockSums[block];
        }
        int start = chosen * LogitMath.BlockLogits;
        return start + Pick(_weights.AsSpan(start, Math.Min(LogitMath.BlockLogits, _weights.Length - start)), rest);
    }

    /// <summary>The index at which the running sum passes <paramref name="target"/>; rounding may leave it a hair short of
    /// the end, and then the last weight that is not 0 is meant.</summary>
    private static int Pick(ReadOnlySpan<float> weights, double target)
    {
        int last = 0;
        for (int i = 0; i < weights.Length; i++)
        {
            if (weights[i] == 0) continue;
            last = i;
            target -= weights[i];
            if (target < 0) break;
        }
        return last;
    }

    private int PickFromBest(ReadOnlySpan<float> logits, in SamplingOptions options, double draw, double total)
    {
        Span<ulong> keys = Candidates(logits, options, ref total);
        if (options.TopK > 0)
        {
            keys = keys[..LogitRanking.TakeBest(keys, options.TopK, _weights, double.PositiveInfinity)];
            total = Sum(keys);
        }
        if (options.TopP < 1) keys = keys[..LogitRanking.TakeBest(keys, keys.Length, _weights, options.TopP * total)];
        double target = draw * Sum(keys);
        foreach (ulong key in keys)
        {
            target -= _weights[LogitRanking.Id(key)];
            if (target < 0) return LogitRanking.Id(key);
        }
        return LogitRanking.Id(keys[^1]);
    }

    /// <summary>The tokens that min-p keeps and that can still matter: all tokens lighter than (1 - p) / n of the total
    /// weigh less together than top-p drops, so they need not be ranked.</summary>
    private Span<ulong> Candidates(ReadOnlySpan<float> logits, in SamplingOptions options, ref double total)
    {
        bool droppable = options is { MinP: <= 0, TopK: 0 };
        float lightest = droppable ? (float)((1 - options.TopP) * total / logits.Length * 0.5) : options.MinP;
        int count = 0;
        double kept = 0;
        for (int id = 0; id < logits.Length; id++)
        {
            if (_weights[id] < lightest || _weights[id] == 0) continue;
            _keys[count++] = LogitRanking.Key(logits[id], id);
            kept += _weights[id];
        }
        if (!droppable) total = kept;
        return _keys.AsSpan(0, count);
    }

    private double Sum(ReadOnlySpan<ulong> keys)
    {
        double sum = 0;
        foreach (ulong key in keys) sum += _weights[LogitRanking.Id(key)];
        return sum;
    }
}

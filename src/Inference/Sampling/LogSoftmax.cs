namespace Serving.Inference.Sampling;

/// <summary>Log-probabilities of a row of the model's own logits, before temperature and penalties.</summary>
/// <remarks>Buffers are kept between rows; not thread-safe, the engine loop owns it.</remarks>
internal sealed class LogSoftmax
{
    private readonly float[] _weights; // [vocabulary]
    private readonly double[] _blockSums;
    private readonly ulong[] _best = new ulong[MostAlternatives];
    private double _logSum;

    /// <summary>The most alternatives that can be reported.</summary>
    public const int MostAlternatives = 20;

    /// <summary>For rows of <paramref name="vocabularySize"/> logits.</summary>
    public LogSoftmax(int vocabularySize)
    {
        _weights = new float[vocabularySize];
        _blockSums = new double[(vocabularySize + LogitMath.BlockLogits - 1) / LogitMath.BlockLogits];
    }

    /// <summary>The logarithm of the row's sum of exponentials.</summary>
    public double LogSum => _logSum;

    /// <summary>Turns to another row.</summary>
    /// <exception cref="ArithmeticException">The row has no finite maximum.</exception>
    public void Read(ReadOnlySpan<float> logits)
    {
        float max = LogitMath.FiniteMax(logits);
        _logSum = max + Math.Log(LogitMath.Weigh(logits, max, 1, _weights, _blockSums));
    }

    /// <summary>The log-probability, in nats, of a logit of the row: the same float wherever it is asked for.</summary>
    public float Of(float logit) => (float)(logit - _logSum);

    /// <summary>The row's likeliest tokens, best first, the lowest id among equal logits.</summary>
    /// <param name="logits">The row that was read.</param>
    /// <param name="count">0 to 20; a smaller vocabulary gives fewer.</param>
    public TokenLogprob[] Top(ReadOnlySpan<float> logits, int count)
    {
        count = Math.Min(count, logits.Length);
        LogitRanking.Best(logits, count, _best);
        TokenLogprob[] top = count == 0 ? [] : new TokenLogprob[count];
        for (int i = 0; i < count; i++)
        {
            int id = LogitRanking.Id(_best[i]);
            top[i] = new TokenLogprob(id, Of(logits[id]));
        }
        return top;
    }
}

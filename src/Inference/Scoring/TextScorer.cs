using Serving.Inference.Ensembles;
using Serving.Inference.Sampling;

namespace Serving.Inference.Scoring;

/// <summary>
/// Log-likelihoods of texts under several mixtures of experts in one pass: every expert runs once over a text, however many
/// mixtures it is part of, and all of them in step, so that distributions can be compared without being kept.
/// </summary>
/// <remarks>Log-probabilities have the bits that an engine gives for the same text, model and weights. Not thread-safe.</remarks>
public sealed class TextScorer
{
    private const int SliceTokens = 64;
    private const int SliceValues = 1 << 22; // 16 MiB of logits an expert
    private static readonly double[] Halves = [0.5, 0.5];

    private readonly ScoredExpert[] _experts;
    private readonly Mixture[] _mixtures;
    private readonly int _vocabulary;
    private readonly int _sliceTokens;
    private readonly float[][] _logits; // of each expert: [slice, vocabulary]
    private readonly float[][][] _logitsOf; // of each mixture: those of its experts
    private readonly float[][] _rows; // of each mixture: [vocabulary]
    private readonly double[] _logSums; // of each mixture's row
    private readonly RowBlender _blender;
    private readonly LogSoftmax _logSoftmax;
    private readonly ForwardBatch _batch = new();
    private readonly List<int> _blocks = [];

    /// <summary>A scorer.</summary>
    /// <param name="experts">At least one; all of one vocabulary, each with K/V for its whole context. They stay the caller's.</param>
    /// <param name="mixtures">Whose log-probabilities are wanted.</param>
    /// <param name="pairs">Pairs of mixtures, by index, whose distributions are compared.</param>
    public TextScorer(IReadOnlyList<ScoredExpert> experts, IReadOnlyList<Mixture> mixtures, IReadOnlyList<(int A, int B)> pairs)
    {
        _experts = [.. experts];
        _mixtures = [.. mixtures];
        Pairs = [.. pairs.Select(pair => new PairScore(pair.A, pair.B))];
        _vocabulary = experts[0].Backend.Shape.VocabularySize;
        if (experts.FirstOrDefault(expert => expert.Backend.Shape.VocabularySize != _vocabulary) is { Id: not null } stranger)
            throw new ArgumentException($"All experts must have {_vocabulary} tokens, but '{stranger.Id}' has {stranger.Backend.Shape.VocabularySize}.");
        ContextTokens = experts.Min(expert => expert.Backend.Shape.ContextTokens);
        _sliceTokens = Math.Clamp(SliceValues / _vocabulary, 1, SliceTokens);
        _logits = [.. experts.Select(_ => new float[_sliceTokens * _vocabulary])];
        _logitsOf = [.. mixtures.Select(mixture => mixture.Experts.Select(expert => _logits[expert]).ToArray())];
        _rows = [.. mixtures.Select(_ => new float[_vocabulary])];
        _logSums = new double[_mixtures.Length];
        _blender = new RowBlender(_vocabulary, mixtures.Max(mixture => mixture.Experts.Count));
        _logSoftmax = new LogSoftmax(_vocabulary);
    }

    /// <summary>The shortest context of all experts.</summary>
    public int ContextTokens { get; }

    /// <summary>How far the pairs are apart on all tokens scored so far.</summary>
    public IReadOnlyList<PairScore> Pairs { get; }

    /// <summary>Scores a text.</summary>
    /// <param name="tokens">2 to <see cref="ContextTokens"/> + 1 ids: the last one is predicted, never read.</param>
    /// <param name="first">The first token to score, at least 1: the first of a text is conditioned on nothing.</param>
    /// <param name="cancellation">Ends it between two slices of the text.</param>
    /// <returns>[mixture][tokens - first]: log-probabilities in nats.</returns>
    /// <exception cref="MemberFaultException">An expert answered logits that are not finite.</exception>
    public float[][] Score(ReadOnlySpan<int> tokens, int first, CancellationToken cancellation)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(first, 1);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(tokens.Length, first, nameof(tokens));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(tokens.Length, ContextTokens + 1, nameof(tokens));
        int scored = tokens.Length - first;
        float[][] scores = [.. _mixtures.Select(_ => new float[scored])];
        int blockTokens = _experts[0].Backend.Kv.BlockTokens;
        while (_blocks.Count * blockTokens < tokens.Length - 1)
            _blocks.Add(_blocks.Count);
        for (int start = 0; start < tokens.Length - 1; start += _sliceTokens)
        {
            cancellation.ThrowIfCancellationRequested();
            int end = Math.Min(start + _sliceTokens, tokens.Length - 1);
            int firstRow = Math.Clamp(first - 1, start, end);
            Run(tokens[start..end], start, end - firstRow);
            for (int position = firstRow; position < end; position++)
                Read(position - firstRow, tokens[position + 1], scores, position + 1 - first);
        }
        return scores;
    }

    private void Run(ReadOnlySpan<int> tokens, int position, int rows)
    {
        _batch.Clear();
        _batch.Add(tokens, position, _blocks, rows);
        for (int expert = 0; expert < _experts.Length; expert++)
        {
            Span<float> logits = _logits[expert].AsSpan(0, rows * _vocabulary);
            _experts[expert].Backend.Forward(_batch, logits);
            if (!LogitAverage.IsFinite(logits))
                throw new MemberFaultException(_experts[expert].Id);
        }
    }

    private void Read(int row, int token, float[][] scores, int place)
    {
        for (int mixture = 0; mixture < _mixtures.Length; mixture++)
        {
            _blender.Average(_logitsOf[mixture], row * _vocabulary, _mixtures[mixture].Blend, _rows[mixture]);
            _logSoftmax.Read(_rows[mixture]);
            _logSums[mixture] = _logSoftmax.LogSum;
            scores[mixture][place] = _logSoftmax.Of(_rows[mixture][token]);
        }
        foreach (PairScore pair in Pairs)
            Compare(pair);
    }

    private void Compare(PairScore pair)
    {
        (float[] a, float[] b) = (_rows[pair.A], _rows[pair.B]);
        (double aLogSum, double bLogSum) = (_logSums[pair.A], _logSums[pair.B]);
        pair.Add(
            Divergence.KullbackLeibler(a, aLogSum, b, bLogSum),
            Divergence.KullbackLeibler(b, bLogSum, a, aLogSum),
            Divergence.JensenShannon([a, b], 0, _vocabulary, [aLogSum, bLogSum], Halves),
            LogitMath.FirstIndexOf(a, LogitMath.Max(a)) == LogitMath.FirstIndexOf(b, LogitMath.Max(b)));
    }
}

using Serving.Inference.Sampling;

namespace Serving.Inference.Ensembles;

/// <summary>Averages rows of logits, one row of each expert at a time, and keeps the scratch memory for it. Not thread-safe.</summary>
/// <param name="vocabulary">Logits a row.</param>
/// <param name="experts">The most experts of a blend.</param>
internal sealed class RowBlender(int vocabulary, int experts)
{
    private readonly float[] _exponentials = new float[vocabulary];
    private readonly double[] _blockSums = new double[(vocabulary + LogitMath.BlockLogits - 1) / LogitMath.BlockLogits];
    private readonly double[] _logSums = new double[experts];

    /// <summary>The blend of one row. Where all experts agree it is the first one's bits.</summary>
    /// <param name="logits">Of each expert, as many as weights; finite.</param>
    /// <param name="start">Where the row starts in each.</param>
    /// <param name="blend">The weights.</param>
    /// <param name="row">[vocabulary]: the result. By <see cref="EnsembleRule.Probabilities"/> it holds log-probabilities plus the
    /// logarithm of the first expert's sum of exponentials.</param>
    public void Average(float[][] logits, int start, Blend blend, Span<float> row)
    {
        ReadOnlySpan<float> first = logits[0].AsSpan(start, vocabulary);
        if (blend.Rule == EnsembleRule.Logits || logits.Length == 1)
        {
            first.CopyTo(row);
            for (int expert = 1; expert < logits.Length; expert++)
                LogitAverage.AddDeviation(row, first, logits[expert].AsSpan(start, vocabulary), (float)blend.Weights[expert]);
            return;
        }
        for (int expert = 0; expert < logits.Length; expert++)
            _logSums[expert] = LogSum(logits[expert].AsSpan(start, vocabulary));
        LogitAverage.LogMean(logits, start, _logSums.AsSpan(0, logits.Length), blend.Weights, row);
    }

    /// <summary>The logarithm of a row's sum of exponentials.</summary>
    public double LogSum(ReadOnlySpan<float> row) => LogitAverage.LogSum(row, _exponentials, _blockSums);
}

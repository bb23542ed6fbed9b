using Serving.Inference.Sampling;

namespace Serving.Inference.Ensembles;

/// <summary>Averages rows of logits, one row of each expert at a time, and keeps the scratch memory for it. Not thread-safe.</summary>
/// <param name="vocabulary">Logits a row.</param>
/// <param name="experts">The most experts of a blend.</param>
internal sealed class RowBlender(int vocabulary, int experts)
{
    private readonly float[][] _exponentials = [.. Enumerable.Range(0, experts).Select(_ => new float[vocabulary])];
    private readonly double[] _blockSums = new double[(vocabulary + LogitMath.BlockLogits - 1) / LogitMath.BlockLogits];
    private readonly double[] _logSums = new double[experts];
    private readonly float[] _shares = new float[experts];

    /// <summary>The blend of one row. Where all experts agree it is the first one's bits.</summary>
    /// <param name="logits">Of each expert, as many as weights; finite.</param>
    /// <param name="start">Where the row starts in each.</param>
    /// <param name="blend">The weights.</param>
    /// <param name="row">[vocabulary]: the result. By <see cref="EnsembleRule.Probabilities"/> it holds log-probabilities plus the
    /// logarithm of the first expert's sum of exponentials.</param>
    public void Average(float[][] logits, int start, Blend blend, Span<float> row)
    {
        ReadOnlySpan<float> first = logits[0].AsSpan(start, vocabulary);
        if (blend.Rule == EnsembleRule.Probabilities && logits.Length > 1)
        {
            AverageProbabilities(logits, start, blend, row);
            return;
        }
        first.CopyTo(row);
        for (int expert = 1; expert < logits.Length; expert++)
            LogitAverage.AddDeviation(row, first, logits[expert].AsSpan(start, vocabulary), (float)blend.Weights[expert]);
    }

    /// <summary>The logarithm of a row's sum of exponentials.</summary>
    public double LogSum(ReadOnlySpan<float> row) => Weigh(row, 0).LogSum;

    /// <summary>What each expert thought of a token.</summary>
    /// <param name="logits">Of each expert, as many as the blend has weights.</param>
    /// <param name="start">Where the row starts in each.</param>
    /// <param name="token">The token that was chosen.</param>
    /// <param name="blend">The weights that chose it.</param>
    public ExpertAttribution Attribute(float[][] logits, int start, int token, Blend blend)
    {
        var logprobs = new float[logits.Length];
        var choices = new int[logits.Length];
        for (int expert = 0; expert < logits.Length; expert++)
        {
            ReadOnlySpan<float> row = logits[expert].AsSpan(start, vocabulary);
            _logSums[expert] = LogSum(row);
            logprobs[expert] = (float)(row[token] - _logSums[expert]);
            choices[expert] = LogitMath.FirstIndexOf(row, LogitMath.Max(row));
        }
        double disagreement = Divergence.JensenShannon(logits, start, vocabulary, _logSums, blend.Weights);
        return new ExpertAttribution(logprobs, choices, disagreement);
    }

    private void AverageProbabilities(float[][] logits, int start, Blend blend, Span<float> row)
    {
        for (int expert = 0; expert < logits.Length; expert++)
        {
            (_logSums[expert], double sum) = Weigh(logits[expert].AsSpan(start, vocabulary), expert);
            _shares[expert] = (float)(blend.Weights[expert] / sum);
        }
        var rows = new LogitAverage.Rows(logits, start, _logSums.AsSpan(0, logits.Length), blend.Weights);
        LogitAverage.LogMean(rows, _exponentials, _shares, row);
    }

    private (double LogSum, double Sum) Weigh(ReadOnlySpan<float> row, int expert)
    {
        float max = LogitAverage.MaxOfFinite(row);
        double sum = LogitMath.Weigh(row, max, 1, _exponentials[expert], _blockSums);
        return (max + Math.Log(sum), sum);
    }
}

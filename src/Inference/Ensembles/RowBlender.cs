using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Serving.Inference.Cpu.Kernels;
using Serving.Inference.Sampling;

namespace Serving.Inference.Ensembles;

/// <summary>Averages rows of logits, one row of each expert at a time, and keeps the scratch memory for it. Not thread-safe.</summary>
/// <remarks>Exponentials are made block by block, each relative to the block's own largest logit, so that a row is read from memory
/// once.</remarks>
/// <param name="vocabulary">Logits a row.</param>
/// <param name="experts">The most experts of a blend.</param>
internal sealed unsafe class RowBlender(int vocabulary, int experts)
{
    private const int BlockLogits = 2048;

    private readonly KernelSet _kernels = KernelSet.Best;
    private readonly int _blocks = (vocabulary + BlockLogits - 1) / BlockLogits;
    private readonly float[] _memory = GC.AllocateUninitializedArray<float>((experts * Lanes.RoundUp(vocabulary)) + Lanes.Count, pinned: true);
    private readonly float[][] _maxima = [.. Enumerable.Range(0, experts).Select(_ => new float[(vocabulary + BlockLogits - 1) / BlockLogits])];
    private readonly float[] _blockSums = new float[(vocabulary + BlockLogits - 1) / BlockLogits];
    private readonly double[] _logSums = new double[experts];

    /// <summary>The blend of one row. Where all experts agree it is the first one's bits.</summary>
    /// <param name="logits">Of each expert, as many as weights.</param>
    /// <param name="start">Where the row starts in each.</param>
    /// <param name="blend">The weights.</param>
    /// <param name="row">[vocabulary]: the result. By <see cref="EnsembleRule.Probabilities"/> it holds log-probabilities plus the
    /// logarithm of the first expert's sum of exponentials.</param>
    /// <returns>The first expert with a logit that is not finite, when there is no blend; -1 = none.</returns>
    public int Average(float[][] logits, int start, Blend blend, Span<float> row)
    {
        if (blend.Rule == EnsembleRule.Probabilities && logits.Length > 1)
            return AverageProbabilities(logits, start, blend, row);
        ReadOnlySpan<float> first = logits[0].AsSpan(start, vocabulary);
        if (!LogitAverage.IsFinite(first))
            return 0;
        first.CopyTo(row);
        for (int expert = 1; expert < logits.Length; expert++)
        {
            if (!LogitAverage.AddDeviation(row, first, logits[expert].AsSpan(start, vocabulary), (float)blend.Weights[expert]))
                return expert;
        }
        return -1;
    }

    /// <summary>The logarithm of a row's sum of exponentials; NaN where a logit is not finite.</summary>
    public double LogSum(ReadOnlySpan<float> row) => Exponentiate(row, 0);

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

    private int AverageProbabilities(float[][] logits, int start, Blend blend, Span<float> row)
    {
        for (int expert = 0; expert < logits.Length; expert++)
        {
            _logSums[expert] = Exponentiate(logits[expert].AsSpan(start, vocabulary), expert);
            if (double.IsNaN(_logSums[expert]))
                return expert;
        }
        if (AllAgree(logits, start))
        {
            logits[0].AsSpan(start, vocabulary).CopyTo(row);
            return -1;
        }
        for (int block = 0; block < _blocks; block++)
            WeighBlock(block, blend.Weights, row);
        LogitAverage.LogOfMeans(new LogitAverage.Rows(logits, start, _logSums.AsSpan(0, logits.Length), blend.Weights), row);
        return -1;
    }

    private bool AllAgree(float[][] logits, int start)
    {
        ReadOnlySpan<float> first = logits[0].AsSpan(start, vocabulary);
        for (int expert = 1; expert < logits.Length; expert++)
        {
            if (_logSums[expert] != _logSums[0] || !first.SequenceEqual(logits[expert].AsSpan(start, vocabulary)))
                return false;
        }
        return true;
    }

    // The mean of the experts' probabilities.
    private void WeighBlock(int block, ReadOnlySpan<double> weights, Span<float> row)
    {
        int start = block * BlockLogits, count = Math.Min(BlockLogits, vocabulary - start);
        fixed (float* means = row[start..])
        {
            for (int expert = 0; expert < weights.Length; expert++)
            {
                var share = (float)(weights[expert] * Math.Exp(_maxima[expert][block] - _logSums[expert]));
                _kernels.Scale(ExponentialsOf(expert) + start, count, share, means, adds: expert > 0);
            }
        }
    }

    // Returns the logarithm of the row's sum of exponentials.
    private double Exponentiate(ReadOnlySpan<float> row, int expert)
    {
        float[] maxima = _maxima[expert];
        float* exponentials = ExponentialsOf(expert);
        fixed (float* logits = row)
        {
            for (int block = 0, start = 0; block < _blocks; block++, start += BlockLogits)
                _blockSums[block] = _kernels.Exponentials(logits + start, Math.Min(BlockLogits, vocabulary - start), exponentials + start, out maxima[block]);
        }
        float max = maxima.Max();
        double sum = 0;
        for (int block = 0; block < _blocks; block++)
            sum += _blockSums[block] * Math.Exp(maxima[block] - max);
        return max + Math.Log(sum);
    }

    // [vocabulary], from the start of a cache line: lanes that lie across two take twice the time.
    private float* ExponentialsOf(int expert)
    {
        var first = (nint)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_memory));
        nint line = Lanes.Count * sizeof(float);
        return (float*)((first + line - 1) / line * line) + ((long)expert * Lanes.RoundUp(vocabulary));
    }
}

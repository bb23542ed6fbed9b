using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Serving.Inference.Sampling;

namespace Serving.Inference.Ensembles;

/// <summary>Arithmetic over one row of each member's logits. Every element is a fixed chain over the members in their order, so
/// the result does not depend on other rows; members that agree give the first one's bits.</summary>
internal static class LogitAverage
{
    /// <summary>Whether no value is NaN or infinite.</summary>
    public static bool IsFinite(ReadOnlySpan<float> values)
    {
        // Zero times a finite number is zero, times any other NaN.
        Vector256<float> zeros = Vector256<float>.Zero;
        ReadOnlySpan<Vector256<float>> vectors = MemoryMarshal.Cast<float, Vector256<float>>(values);
        foreach (Vector256<float> vector in vectors)
            zeros += vector * Vector256<float>.Zero;
        float rest = Vector256.Sum(zeros);
        foreach (float value in values[(vectors.Length * Vector256<float>.Count)..])
            rest += value * 0;
        return rest == 0;
    }

    /// <summary>Adds another member to the average of logits: <c>sum += weight (other - first)</c>, where the sum starts as the
    /// first member's row and the first member's weight needs no mention because all weights make 1.</summary>
    public static void AddDeviation(Span<float> sum, ReadOnlySpan<float> first, ReadOnlySpan<float> other, float weight)
    {
        Span<Vector256<float>> sums = MemoryMarshal.Cast<float, Vector256<float>>(sum);
        ReadOnlySpan<Vector256<float>> firsts = MemoryMarshal.Cast<float, Vector256<float>>(first);
        ReadOnlySpan<Vector256<float>> others = MemoryMarshal.Cast<float, Vector256<float>>(other);
        for (int i = 0; i < sums.Length; i++)
            sums[i] += (others[i] - firsts[i]) * weight;
        for (int i = sums.Length * Vector256<float>.Count; i < sum.Length; i++)
            sum[i] += (other[i] - first[i]) * weight;
    }

    /// <summary>The logarithm of a row's sum of exponentials.</summary>
    /// <param name="logits">Finite.</param>
    /// <param name="exponentials">[logits] for scratch.</param>
    /// <param name="blockSums">[logits / <see cref="LogitMath.BlockLogits"/>, rounded up] for scratch.</param>
    public static double LogSum(ReadOnlySpan<float> logits, Span<float> exponentials, Span<double> blockSums)
    {
        float max = LogitMath.Max(logits);
        return max + Math.Log(LogitMath.Weigh(logits, max, 1, exponentials, blockSums));
    }

    /// <summary>The logarithm of the mean of probabilities whose logarithms are given, one a member.</summary>
    /// <returns>Null where all are the same number, which is the mean then: weights that were rounded need not sum to 1.</returns>
    public static double? LogMean(ReadOnlySpan<double> logProbabilities, ReadOnlySpan<double> weights)
    {
        double max = logProbabilities[0], min = max;
        foreach (double value in logProbabilities)
            (max, min) = (Math.Max(max, value), Math.Min(min, value));
        if (max == min)
            return null;
        double sum = 0;
        for (int i = 0; i < weights.Length; i++)
            sum += weights[i] * Math.Exp(logProbabilities[i] - max);
        return max + Math.Log(sum);
    }
}

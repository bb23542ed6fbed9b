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

    /// <summary>The logarithm of the weighted mean of the members' probabilities, plus the first member's log-sum. Where all
    /// members agree that is the first one's logit, taken as it is: weights that were rounded need not sum to 1.</summary>
    /// <param name="logits">Of each member.</param>
    /// <param name="start">Where the row starts in each.</param>
    /// <param name="logSums">Of each member's row.</param>
    /// <param name="weights">Of each member; they sum to 1.</param>
    /// <param name="row">[vocabulary]: the result.</param>
    public static void LogMean(
        float[][] logits, int start, ReadOnlySpan<double> logSums, ReadOnlySpan<double> weights, Span<float> row)
    {
        int i = 0;
        for (; i <= row.Length - Vector256<double>.Count; i += Vector256<double>.Count)
            Narrow(LogMean(logits, start + i, logSums, weights)).CopyTo(row[i..]);
        for (; i < row.Length; i++)
            row[i] = LogMeanOfOne(logits, start + i, logSums, weights);
    }

    private static Vector256<double> LogMean(float[][] logits, int at, ReadOnlySpan<double> logSums, ReadOnlySpan<double> weights)
    {
        Vector256<double> first = Widen(logits[0], at);
        Vector256<double> max = first - Vector256.Create(logSums[0]), min = max;
        for (int member = 1; member < weights.Length; member++)
        {
            Vector256<double> value = Widen(logits[member], at) - Vector256.Create(logSums[member]);
            (max, min) = (Vector256.Max(max, value), Vector256.Min(min, value));
        }
        Vector256<double> sum = Vector256<double>.Zero;
        for (int member = 0; member < weights.Length; member++)
            sum += Vector256.Exp(Widen(logits[member], at) - Vector256.Create(logSums[member]) - max) * weights[member];
        return Vector256.ConditionalSelect(Vector256.Equals(max, min), first, max + Vector256.Log(sum) + Vector256.Create(logSums[0]));
    }

    private static float LogMeanOfOne(float[][] logits, int at, ReadOnlySpan<double> logSums, ReadOnlySpan<double> weights)
    {
        double max = logits[0][at] - logSums[0], min = max;
        for (int member = 1; member < weights.Length; member++)
        {
            double value = logits[member][at] - logSums[member];
            (max, min) = (Math.Max(max, value), Math.Min(min, value));
        }
        double sum = 0;
        for (int member = 0; member < weights.Length; member++)
            sum += Math.Exp(logits[member][at] - logSums[member] - max) * weights[member];
        return max == min ? logits[0][at] : (float)(max + Math.Log(sum) + logSums[0]);
    }

    /// <summary>Four values of a row, in double precision.</summary>
    public static Vector256<double> Widen(float[] values, int at)
    {
        (Vector128<double> lower, Vector128<double> upper) = Vector128.Widen(Vector128.Create(values, at));
        return Vector256.Create(lower, upper);
    }

    private static Vector128<float> Narrow(Vector256<double> values) => Vector128.Narrow(values.GetLower(), values.GetUpper());
}

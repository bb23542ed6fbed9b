using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Serving.Inference.Ensembles;

/// <summary>Arithmetic over one row of each member's logits. Every element is a fixed chain over the members in their order, so
/// the result does not depend on other rows; members that agree give the first one's bits.</summary>
internal static class LogitAverage
{
    // Far above the smallest normal float, so that no term that counts has vanished.
    private const float SmallestMean = 1e-28f;

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
    /// <returns>Whether all of the other's logits are finite.</returns>
    public static bool AddDeviation(Span<float> sum, ReadOnlySpan<float> first, ReadOnlySpan<float> other, float weight)
    {
        Vector256<float> zeros = Vector256<float>.Zero;
        Span<Vector256<float>> sums = MemoryMarshal.Cast<float, Vector256<float>>(sum);
        ReadOnlySpan<Vector256<float>> firsts = MemoryMarshal.Cast<float, Vector256<float>>(first);
        ReadOnlySpan<Vector256<float>> others = MemoryMarshal.Cast<float, Vector256<float>>(other);
        for (int i = 0; i < sums.Length; i++)
        {
            sums[i] += (others[i] - firsts[i]) * weight;
            zeros += others[i] * Vector256<float>.Zero;
        }
        float rest = Vector256.Sum(zeros);
        for (int i = sums.Length * Vector256<float>.Count; i < sum.Length; i++)
        {
            sum[i] += (other[i] - first[i]) * weight;
            rest += other[i] * 0;
        }
        return rest == 0;
    }

    /// <summary>A row of each expert, as distributions to be averaged.</summary>
    /// <param name="logits">Of each expert.</param>
    /// <param name="start">Where the row starts in each.</param>
    /// <param name="logSums">The logarithm of the sum of exponentials of each expert's row.</param>
    /// <param name="weights">Of each expert; they sum to 1.</param>
    internal readonly ref struct Rows(float[][] logits, int start, ReadOnlySpan<double> logSums, ReadOnlySpan<double> weights)
    {
        public readonly float[][] Logits = logits;
        public readonly int Start = start;
        public readonly ReadOnlySpan<double> LogSums = logSums;
        public readonly ReadOnlySpan<double> Weights = weights;
    }

    /// <summary>Mean probabilities to their logarithms, plus the first expert's log-sum.</summary>
    /// <param name="rows">The experts' rows.</param>
    /// <param name="row">[vocabulary]: the means.</param>
    public static void LogOfMeans(in Rows rows, Span<float> row)
    {
        Vector256<float> shift = Vector256.Create((float)rows.LogSums[0]), smallest = Vector256.Create(SmallestMean);
        int i = Vector512.IsHardwareAccelerated ? LogOfMeansWide(rows, row) : 0;
        for (; i <= row.Length - Vector256<float>.Count; i += Vector256<float>.Count)
        {
            Span<float> values = row.Slice(i, Vector256<float>.Count);
            Vector256<float> means = Vector256.Create<float>(values);
            if (Vector256.LessThanAny(means, smallest))
                LogMeanOfFew(rows, i, values);
            else
                (Vector256.Log(means) + shift).CopyTo(values);
        }
        LogMeanOfFew(rows, i, row[i..]);
    }

    // The same sixteen at a time. Returns how many are done.
    private static int LogOfMeansWide(in Rows rows, Span<float> row)
    {
        Vector512<float> shift = Vector512.Create((float)rows.LogSums[0]), smallest = Vector512.Create(SmallestMean);
        int i = 0;
        for (; i <= row.Length - Vector512<float>.Count; i += Vector512<float>.Count)
        {
            Span<float> values = row.Slice(i, Vector512<float>.Count);
            Vector512<float> means = Vector512.Create<float>(values);
            if (Vector512.LessThanAny(means, smallest))
                LogMeanOfFew(rows, i, values);
            else
                (Vector512.Log(means) + shift).CopyTo(values);
        }
        return i;
    }

    // In double precision, for probabilities that no float holds, and for the few at the end.
    private static void LogMeanOfFew(in Rows rows, int from, Span<float> row)
    {
        for (int i = 0; i < row.Length; i++)
        {
            int at = rows.Start + from + i;
            double max = double.NegativeInfinity;
            for (int expert = 0; expert < rows.Weights.Length; expert++)
                max = Math.Max(max, rows.Logits[expert][at] - rows.LogSums[expert]);
            double sum = 0;
            for (int expert = 0; expert < rows.Weights.Length; expert++)
                sum += Math.Exp(rows.Logits[expert][at] - rows.LogSums[expert] - max) * rows.Weights[expert];
            row[i] = (float)(max + Math.Log(sum) + rows.LogSums[0]);
        }
    }

    /// <summary>Four values of a row, in double precision.</summary>
    public static Vector256<double> Widen(float[] values, int at)
    {
        (Vector128<double> lower, Vector128<double> upper) = Vector128.Widen(Vector128.Create(values, at));
        return Vector256.Create(lower, upper);
    }
}

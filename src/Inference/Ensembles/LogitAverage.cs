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

    /// <summary>The largest of values that are finite, which takes a third of the time of <see cref="Sampling.LogitMath.Max"/>.</summary>
    public static float MaxOfFinite(ReadOnlySpan<float> values)
    {
        Vector256<float> a = Vector256.Create(float.NegativeInfinity), b = a;
        ReadOnlySpan<Vector256<float>> vectors = MemoryMarshal.Cast<float, Vector256<float>>(values);
        int i = 0;
        for (; i < vectors.Length - 1; i += 2)
            (a, b) = (Vector256.MaxNative(a, vectors[i]), Vector256.MaxNative(b, vectors[i + 1]));
        if (i < vectors.Length)
            a = Vector256.MaxNative(a, vectors[i]);
        a = Vector256.MaxNative(a, b);
        float max = float.NegativeInfinity;
        for (int lane = 0; lane < Vector256<float>.Count; lane++)
            max = MathF.Max(max, a[lane]);
        foreach (float value in values[(vectors.Length * Vector256<float>.Count)..])
            max = MathF.Max(max, value);
        return max;
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

    /// <summary>The logarithm of the weighted mean of the experts' probabilities, plus the first expert's log-sum. Where all
    /// agree that is the first one's logit, taken as it is: weights that were rounded need not sum to 1.</summary>
    /// <param name="rows">The experts' rows.</param>
    /// <param name="exponentials">Of each expert: e to the logit less the row's largest.</param>
    /// <param name="shares">Of each expert: its weight, divided by the sum of its exponentials.</param>
    /// <param name="row">[vocabulary]: the result.</param>
    public static void LogMean(in Rows rows, float[][] exponentials, ReadOnlySpan<float> shares, Span<float> row)
    {
        Vector256<float> shift = Vector256.Create((float)rows.LogSums[0]), smallest = Vector256.Create(SmallestMean);
        bool sameSums = rows.LogSums.Count(rows.LogSums[0]) == rows.LogSums.Length;
        int i = Vector512.IsHardwareAccelerated ? LogMeanWide(rows, exponentials, shares, row, sameSums) : 0;
        for (; i <= row.Length - Vector256<float>.Count; i += Vector256<float>.Count)
        {
            Vector256<float> mean = Vector256<float>.Zero, first = Vector256.Create(rows.Logits[0], rows.Start + i);
            Vector256<float> same = sameSums ? Vector256<float>.AllBitsSet : Vector256<float>.Zero;
            for (int expert = 0; expert < rows.Weights.Length; expert++)
            {
                mean += Vector256.Create(exponentials[expert], i) * shares[expert];
                same &= Vector256.Equals(first, Vector256.Create(rows.Logits[expert], rows.Start + i));
            }
            if (Vector256.LessThanAny(mean, smallest))
                LogMeanOfFew(rows, i, row.Slice(i, Vector256<float>.Count));
            else
                Vector256.ConditionalSelect(same, first, Vector256.Log(mean) + shift).CopyTo(row[i..]);
        }
        LogMeanOfFew(rows, i, row[i..]);
    }

    // The same sixteen at a time. Returns how many are done.
    private static int LogMeanWide(in Rows rows, float[][] exponentials, ReadOnlySpan<float> shares, Span<float> row, bool sameSums)
    {
        Vector512<float> shift = Vector512.Create((float)rows.LogSums[0]), smallest = Vector512.Create(SmallestMean);
        int i = 0;
        for (; i <= row.Length - Vector512<float>.Count; i += Vector512<float>.Count)
        {
            Vector512<float> mean = Vector512<float>.Zero, first = Vector512.Create(rows.Logits[0], rows.Start + i);
            Vector512<float> same = sameSums ? Vector512<float>.AllBitsSet : Vector512<float>.Zero;
            for (int expert = 0; expert < rows.Weights.Length; expert++)
            {
                mean += Vector512.Create(exponentials[expert], i) * shares[expert];
                same &= Vector512.Equals(first, Vector512.Create(rows.Logits[expert], rows.Start + i));
            }
            if (Vector512.LessThanAny(mean, smallest))
                LogMeanOfFew(rows, i, row.Slice(i, Vector512<float>.Count));
            else
                Vector512.ConditionalSelect(same, first, Vector512.Log(mean) + shift).CopyTo(row[i..]);
        }
        return i;
    }

    // In double precision, for probabilities that no float holds, and for the few at the end.
    private static void LogMeanOfFew(in Rows rows, int from, Span<float> row)
    {
        for (int i = 0; i < row.Length; i++)
        {
            int at = rows.Start + from + i;
            double max = rows.Logits[0][at] - rows.LogSums[0], min = max;
            for (int expert = 1; expert < rows.Weights.Length; expert++)
            {
                double value = rows.Logits[expert][at] - rows.LogSums[expert];
                (max, min) = (Math.Max(max, value), Math.Min(min, value));
            }
            double sum = 0;
            for (int expert = 0; expert < rows.Weights.Length; expert++)
                sum += Math.Exp(rows.Logits[expert][at] - rows.LogSums[expert] - max) * rows.Weights[expert];
            row[i] = max == min ? rows.Logits[0][at] : (float)(max + Math.Log(sum) + rows.LogSums[0]);
        }
    }

    /// <summary>Four values of a row, in double precision.</summary>
    public static Vector256<double> Widen(float[] values, int at)
    {
        (Vector128<double> lower, Vector128<double> upper) = Vector128.Widen(Vector128.Create(values, at));
        return Vector256.Create(lower, upper);
    }
}

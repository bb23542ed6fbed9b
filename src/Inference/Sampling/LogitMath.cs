using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Serving.Inference.Sampling;

/// <summary>Arithmetic over a row of logits, with the same bits on every machine.</summary>
/// <remarks>Sums always run in eight lanes, whatever the hardware has; only multiplications and additions that IEEE 754 defines
/// exactly, in a fixed order; an exponential of its own, because that of the C runtime differs between systems.</remarks>
internal static class LogitMath
{
    /// <summary>Logits whose weights are summed together by <see cref="Weigh"/>.</summary>
    public const int BlockLogits = 1024;

    private const int Lanes = 8;

    /// <summary>The largest logit, or NaN if any is.</summary>
    public static float Max(ReadOnlySpan<float> logits)
    {
        Vector256<float> largest = Vector256.Create(float.NegativeInfinity);
        ReadOnlySpan<Vector256<float>> vectors = MemoryMarshal.Cast<float, Vector256<float>>(logits);
        foreach (Vector256<float> vector in vectors) largest = Vector256.Max(largest, vector);
        float max = float.NegativeInfinity;
        for (int lane = 0; lane < Lanes; lane++) max = MathF.Max(max, largest[lane]);
        foreach (float logit in logits[(vectors.Length * Lanes)..]) max = MathF.Max(max, logit);
        return max;
    }

    /// <summary>The largest logit of a row that can be sampled from.</summary>
    /// <exception cref="ArithmeticException">A logit is NaN or +infinity, or all are -infinity.</exception>
    public static float FiniteMax(ReadOnlySpan<float> logits)
    {
        float max = Max(logits);
        return float.IsFinite(max) ? max : throw NoFiniteMax($"is {max}");
    }

    /// <summary>What to throw for a row that no token can be picked from.</summary>
    public static ArithmeticException NoFiniteMax(string what) => new(
        $"The largest logit must be a finite number, but {what}: the model's weights or this input break its arithmetic.");

    /// <summary>The lowest index that holds <paramref name="value"/>, which one does.</summary>
    public static int FirstIndexOf(ReadOnlySpan<float> logits, float value)
    {
        Vector256<float> wanted = Vector256.Create(value);
        ReadOnlySpan<Vector256<float>> vectors = MemoryMarshal.Cast<float, Vector256<float>>(logits);
        for (int i = 0; i < vectors.Length; i++)
        {
            uint equal = Vector256.Equals(vectors[i], wanted).ExtractMostSignificantBits();
            if (equal != 0) return (i * Lanes) + System.Numerics.BitOperations.TrailingZeroCount(equal);
        }
        int index = vectors.Length * Lanes;
        while (logits[index] != value) index++;
        return index;
    }

    /// <summary>Writes exp((logit - max) / temperature) for every logit, and returns their sum.</summary>
    /// <param name="logits">[n], none above <paramref name="max"/>.</param>
    /// <param name="max">The largest.</param>
    /// <param name="temperature">Above 0.</param>
    /// <param name="weights">[n]; the largest logit's is exactly 1.</param>
    /// <param name="blockSums">[n / <see cref="BlockLogits"/>, rounded up]: the sum of each block of weights.</param>
    public static double Weigh(
        ReadOnlySpan<float> logits, float max, float temperature, Span<float> weights, Span<double> blockSums)
    {
        double total = 0;
        for (int block = 0; block < blockSums.Length; block++)
        {
            int start = block * BlockLogits;
            int length = Math.Min(BlockLogits, logits.Length - start);
            blockSums[block] = WeighBlock(logits.Slice(start, length), max, temperature, weights.Slice(start, length));
            total += blockSums[block];
        }
        return total;
    }

    /// <summary>e to the power of each lane; lanes are at most 0, and 0 gives exactly 1. Relative error below 2e-7; results
    /// that a normal float cannot hold are 0.</summary>
    /// <remarks>Cephes expf: x = n ln 2 + r, a polynomial in r, and n into the exponent's bits.</remarks>
    public static Vector256<float> Exp(Vector256<float> x)
    {
        Vector256<float> smallest = Vector256.Create(-87.33654f);
        Vector256<float> normal = Vector256.GreaterThanOrEqual(x, smallest);
        x = Vector256.ConditionalSelect(normal, x, smallest);
        Vector256<float> n = Vector256.Floor((x * 1.44269504f) + Vector256.Create(0.5f));
        Vector256<float> r = x - (n * 0.693359375f) - (n * -2.12194440e-4f);
        Vector256<float> p = (r * 1.9875691500e-4f) + Vector256.Create(1.3981999507e-3f);
        p = (p * r) + Vector256.Create(8.3334519073e-3f);
        p = (p * r) + Vector256.Create(4.1665795894e-2f);
        p = (p * r) + Vector256.Create(1.6666665459e-1f);
        p = (p * r) + Vector256.Create(5.0000001201e-1f);
        p = (p * r * r) + r + Vector256<float>.One;
        Vector256<int> exponent = (Vector256.ConvertToInt32Native(n) + Vector256.Create(127)) << 23;
        return Vector256.ConditionalSelect(normal, p * exponent.AsSingle(), Vector256<float>.Zero);
    }

    /// <summary>The same for sixteen lanes: each the bits that eight would have.</summary>
    public static Vector512<float> Exp(Vector512<float> x)
    {
        Vector512<float> smallest = Vector512.Create(-87.33654f);
        Vector512<float> normal = Vector512.GreaterThanOrEqual(x, smallest);
        x = Vector512.ConditionalSelect(normal, x, smallest);
        Vector512<float> n = Vector512.Floor((x * 1.44269504f) + Vector512.Create(0.5f));
        Vector512<float> r = x - (n * 0.693359375f) - (n * -2.12194440e-4f);
        Vector512<float> p = (r * 1.9875691500e-4f) + Vector512.Create(1.3981999507e-3f);
        p = (p * r) + Vector512.Create(8.3334519073e-3f);
        p = (p * r) + Vector512.Create(4.1665795894e-2f);
        p = (p * r) + Vector512.Create(1.6666665459e-1f);
        p = (p * r) + Vector512.Create(5.0000001201e-1f);
        p = (p * r * r) + r + Vector512<float>.One;
        Vector512<int> exponent = (Vector512.ConvertToInt32Native(n) + Vector512.Create(127)) << 23;
        return Vector512.ConditionalSelect(normal, p * exponent.AsSingle(), Vector512<float>.Zero);
    }

    private static Vector256<double> Widened(Vector256<float> weights)
    {
        (Vector256<double> lower, Vector256<double> upper) = Vector256.Widen(weights);
        return lower + upper;
    }

    private static double WeighBlock(ReadOnlySpan<float> logits, float max, float temperature, Span<float> weights)
    {
        Vector256<float> maxima = Vector256.Create(max);
        Vector256<float> temperatures = Vector256.Create(temperature);
        Vector256<double> sum = Vector256<double>.Zero;
        int i = 0;
        if (Vector512.IsHardwareAccelerated)
        {
            Vector512<float> wideMaxima = Vector512.Create(max), wideTemperatures = Vector512.Create(temperature);
            for (; i <= logits.Length - (2 * Lanes); i += 2 * Lanes)
            {
                Vector512<float> differences = Vector512.Create(logits[i..]) - wideMaxima;
                // Division by one changes nothing but takes its time.
                Vector512<float> weight = Exp(temperature == 1 ? differences : differences / wideTemperatures);
                weight.CopyTo(weights[i..]);
                sum += Widened(weight.GetLower());
                sum += Widened(weight.GetUpper());
            }
        }
        for (; i <= logits.Length - Lanes; i += Lanes)
        {
            Vector256<float> weight = Exp((Vector256.Create(logits[i..]) - maxima) / temperatures);
            weight.CopyTo(weights[i..]);
            sum += Widened(weight);
        }
        double total = sum[0] + sum[1] + sum[2] + sum[3];
        for (; i < logits.Length; i++)
        {
            weights[i] = Exp(Vector256.Create((logits[i] - max) / temperature))[0];
            total += weights[i];
        }
        return total;
    }
}

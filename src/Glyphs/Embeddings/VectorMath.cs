using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Serving.Glyphs.Embeddings;

/// <summary>Sums over vectors in eight lanes, the same bits on every machine: no fused multiply-add, and one order.</summary>
internal static class VectorMath
{
    /// <summary>Values that are computed at once.</summary>
    public const int Lanes = 8;

    /// <summary>x · y.</summary>
    public static float Dot(ReadOnlySpan<float> x, ReadOnlySpan<float> y)
    {
        Vector256<float> lanes = default;
        ReadOnlySpan<Vector256<float>> xs = MemoryMarshal.Cast<float, Vector256<float>>(x);
        ReadOnlySpan<Vector256<float>> ys = MemoryMarshal.Cast<float, Vector256<float>>(y);
        for (int i = 0; i < xs.Length; i++) lanes += xs[i] * ys[i];
        float sum = Vector256.Sum(lanes);
        for (int i = xs.Length * Lanes; i < x.Length; i++) sum += x[i] * y[i];
        return sum;
    }

    /// <summary>x · y, summed in eight lanes, then lane by lane, then the tail.</summary>
    public static double Dot(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        Vector512<double> lanes = default;
        ReadOnlySpan<Vector512<double>> xs = MemoryMarshal.Cast<double, Vector512<double>>(x);
        ReadOnlySpan<Vector512<double>> ys = MemoryMarshal.Cast<double, Vector512<double>>(y);
        for (int i = 0; i < xs.Length; i++) lanes += xs[i] * ys[i];
        double sum = 0;
        for (int lane = 0; lane < Lanes; lane++) sum += lanes[lane];
        for (int i = xs.Length * Lanes; i < x.Length; i++) sum += x[i] * y[i];
        return sum;
    }

    /// <summary>sum += scale · values.</summary>
    public static void AddScaled(Span<float> sum, ReadOnlySpan<float> values, float scale)
    {
        Span<Vector256<float>> sums = MemoryMarshal.Cast<float, Vector256<float>>(sum);
        ReadOnlySpan<Vector256<float>> vectors = MemoryMarshal.Cast<float, Vector256<float>>(values);
        for (int i = 0; i < sums.Length; i++) sums[i] += vectors[i] * scale;
        for (int i = sums.Length * Lanes; i < sum.Length; i++) sum[i] += values[i] * scale;
    }

    /// <summary>sum += scale · values.</summary>
    public static void AddScaled(Span<double> sum, ReadOnlySpan<double> values, double scale)
    {
        Span<Vector512<double>> sums = MemoryMarshal.Cast<double, Vector512<double>>(sum);
        ReadOnlySpan<Vector512<double>> vectors = MemoryMarshal.Cast<double, Vector512<double>>(values);
        for (int i = 0; i < sums.Length; i++) sums[i] += vectors[i] * scale;
        for (int i = sums.Length * Lanes; i < sum.Length; i++) sum[i] += values[i] * scale;
    }
}

using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Serving.Glyphs.Embeddings;

/// <summary>Sums over vectors in eight lanes, the same bits on every machine.</summary>
internal static class VectorMath
{
    /// <summary>x · y.</summary>
    public static float Dot(ReadOnlySpan<float> x, ReadOnlySpan<float> y)
    {
        Vector256<float> lanes = default;
        ReadOnlySpan<Vector256<float>> xs = MemoryMarshal.Cast<float, Vector256<float>>(x);
        ReadOnlySpan<Vector256<float>> ys = MemoryMarshal.Cast<float, Vector256<float>>(y);
        for (int i = 0; i < xs.Length; i++) lanes += xs[i] * ys[i];
        float sum = Vector256.Sum(lanes);
        for (int i = xs.Length * Vector256<float>.Count; i < x.Length; i++) sum += x[i] * y[i];
        return sum;
    }

    /// <summary>sum += scale · values.</summary>
    public static void AddScaled(Span<float> sum, ReadOnlySpan<float> values, float scale)
    {
        Span<Vector256<float>> sums = MemoryMarshal.Cast<float, Vector256<float>>(sum);
        ReadOnlySpan<Vector256<float>> vectors = MemoryMarshal.Cast<float, Vector256<float>>(values);
        for (int i = 0; i < sums.Length; i++) sums[i] += vectors[i] * scale;
        for (int i = sums.Length * Vector256<float>.Count; i < sum.Length; i++) sum[i] += values[i] * scale;
    }
}

using System.Runtime.CompilerServices;

namespace Serving.Inference.Cpu.Kernels;

/// <summary>Logits as exponentials. The sum has four chains of lanes, value i in chain i / 16 mod 4; a value's result never depends on
/// the others but for the largest.</summary>
internal static unsafe class Exponentials<T>
    where T : unmanaged, ILanes<T>
{
    /// <summary>Writes e to the power of each logit less the largest.</summary>
    /// <param name="logits">[count].</param>
    /// <param name="count">At least 1.</param>
    /// <param name="target">[count].</param>
    /// <param name="max">The largest logit.</param>
    /// <returns>Their sum; NaN where a logit is NaN or infinite.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Write(float* logits, int count, float* target, out float max)
    {
        int whole = count & -Lanes.Count;
        T rest = whole < count ? Rest(logits + whole, count - whole) : T.Load(logits);
        T largest = rest, zeros = rest * T.Zero; // zero times a finite number is zero, times any other NaN
        for (int i = 0; i < whole; i += Lanes.Count)
        {
            T values = T.Load(logits + i);
            largest = T.Max(largest, values);
            zeros = T.MultiplyAdd(values, T.Zero, zeros);
        }
        max = T.Max(largest);
        T shift = T.Broadcast(max);
        T sum0 = T.Zero, sum1 = T.Zero, sum2 = T.Zero, sum3 = T.Zero;
        int at = 0;
        for (; at <= whole - (4 * Lanes.Count); at += 4 * Lanes.Count)
        {
            sum0 += Store(T.Load(logits + at) - shift, target + at);
            sum1 += Store(T.Load(logits + at + Lanes.Count) - shift, target + at + Lanes.Count);
            sum2 += Store(T.Load(logits + at + (2 * Lanes.Count)) - shift, target + at + (2 * Lanes.Count));
            sum3 += Store(T.Load(logits + at + (3 * Lanes.Count)) - shift, target + at + (3 * Lanes.Count));
        }
        for (; at < whole; at += Lanes.Count)
            sum0 += Store(T.Load(logits + at) - shift, target + at);
        if (whole < count)
        {
            float* lanes = stackalloc float[Lanes.Count];
            sum1 += T.KeepFirst(Store(rest - shift, lanes), count - whole, 0);
            new ReadOnlySpan<float>(lanes, count - whole).CopyTo(new Span<float>(target + whole, count - whole));
        }
        return T.Sum((sum0 + sum1) + (sum2 + sum3)) + T.Sum(zeros);
    }

    /// <summary><c>target += factor values</c>, or <c>target = factor values</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Scale(float* values, int count, float factor, float* target, bool adds)
    {
        T factors = T.Broadcast(factor);
        int i = 0;
        if (adds)
        {
            for (; i <= count - Lanes.Count; i += Lanes.Count)
                T.Store(T.MultiplyAdd(T.Load(values + i), factors, T.Load(target + i)), target + i);
        }
        else
        {
            for (; i <= count - Lanes.Count; i += Lanes.Count)
                T.Store(T.Load(values + i) * factors, target + i);
        }
        for (; i < count; i++)
            target[i] = adds ? MathF.FusedMultiplyAdd(values[i], factor, target[i]) : values[i] * factor;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Store(T exponents, float* target)
    {
        T exponentials = Elementary.Exp(exponents);
        T.Store(exponentials, target);
        return exponentials;
    }

    // The lanes past the end hold the first value again.
    private static T Rest(float* values, int count)
    {
        float* lanes = stackalloc float[Lanes.Count];
        for (int i = 0; i < Lanes.Count; i++)
            lanes[i] = values[i < count ? i : 0];
        return T.Load(lanes);
    }
}

using System.Runtime.CompilerServices;

namespace Serving.Inference.Cpu.Kernels;

/// <summary>Elementary functions on lanes, by fixed polynomials: a value's result never depends on its lane.</summary>
internal static class Elementary
{
    /// <summary>e^x within 2 units in the last place; x is clamped to [-87.3, 88].</summary>
    /// <remarks>x = n ln 2 + r with |r| at most ln 2 / 2, ln 2 split in two; the polynomial of Cephes expf.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Exp<T>(T x)
        where T : unmanaged, ILanes<T>
    {
        x = T.Min(T.Max(x, T.Broadcast(-87.3f)), T.Broadcast(88f));
        T n = T.Round(x * T.Broadcast(1.44269504f));
        T r = T.MultiplyAdd(n, T.Broadcast(-0.693359375f), x);
        r = T.MultiplyAdd(n, T.Broadcast(2.12194440e-4f), r);
        T p = T.Broadcast(1.9875691500e-4f);
        p = T.MultiplyAdd(p, r, T.Broadcast(1.3981999507e-3f));
        p = T.MultiplyAdd(p, r, T.Broadcast(8.3334519073e-3f));
        p = T.MultiplyAdd(p, r, T.Broadcast(4.1665795894e-2f));
        p = T.MultiplyAdd(p, r, T.Broadcast(1.6666665459e-1f));
        p = T.MultiplyAdd(p, r, T.Broadcast(5.0000001201e-1f));
        p = T.MultiplyAdd(p, r * r, r + T.Broadcast(1f));
        return p * T.PowerOfTwo(n);
    }

    /// <summary>x / 2 (1 + erf(x / sqrt 2)), the exact form of GELU; absolute error below 1e-6 |x|.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Gelu<T>(T x)
        where T : unmanaged, ILanes<T>
    {
        T half = x * T.Broadcast(0.5f);
        return T.MultiplyAdd(half, Erf(x * T.Broadcast(0.70710678f)), half);
    }

    /// <summary>x / 2 (1 + tanh(√(2/π) (x + 0.044715 x³))), which is x σ(2 √(2/π) (x + 0.044715 x³)).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T GeluTanh<T>(T x)
        where T : unmanaged, ILanes<T>
    {
        T inner = T.MultiplyAdd(x * x * T.Broadcast(0.044715f), x, x);
        return x * Sigmoid(inner * T.Broadcast(1.5957691f));
    }

    /// <summary>x σ(x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Silu<T>(T x)
        where T : unmanaged, ILanes<T> => x * Sigmoid(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Sigmoid<T>(T x)
        where T : unmanaged, ILanes<T> => T.Broadcast(1f) / (T.Broadcast(1f) + Exp(T.Zero - x));

    /// <summary>The error function: x P(x²) / Q(x²) on [-4, 4], the rational approximation that Eigen uses.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Erf<T>(T x)
        where T : unmanaged, ILanes<T>
    {
        x = T.Min(T.Max(x, T.Broadcast(-4f)), T.Broadcast(4f));
        T square = x * x;
        T p = T.Broadcast(-2.72614225801306e-10f);
        p = T.MultiplyAdd(p, square, T.Broadcast(2.77068142495902e-08f));
        p = T.MultiplyAdd(p, square, T.Broadcast(-2.10102402082508e-06f));
        p = T.MultiplyAdd(p, square, T.Broadcast(-5.69250639462346e-05f));
        p = T.MultiplyAdd(p, square, T.Broadcast(-7.34990630326855e-04f));
        p = T.MultiplyAdd(p, square, T.Broadcast(-2.95459980854025e-03f));
        p = T.MultiplyAdd(p, square, T.Broadcast(-1.60960333262415e-02f));
        T q = T.Broadcast(-1.45660718464996e-05f);
        q = T.MultiplyAdd(q, square, T.Broadcast(-2.13374055278905e-04f));
        q = T.MultiplyAdd(q, square, T.Broadcast(-1.68282697438203e-03f));
        q = T.MultiplyAdd(q, square, T.Broadcast(-7.37332916720468e-03f));
        q = T.MultiplyAdd(q, square, T.Broadcast(-1.42647390514189e-02f));
        return x * p / q;
    }
}

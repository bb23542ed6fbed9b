namespace Serving.Inference.Cpu.Kernels;

/// <summary>Sixteen float32 side by side: one AVX-512 register, two of AVX2, four of anything else.</summary>
/// <remarks>Always sixteen, so that every sum is taken in the same order whatever the machine: the same weights give the
/// same bits wherever there is a fused multiply-add.</remarks>
internal unsafe interface ILanes<T>
    where T : unmanaged, ILanes<T>
{
    /// <summary>Whether 24 of these can stay in registers.</summary>
    static abstract bool HasManyRegisters { get; }

    static abstract T Zero { get; }

    static abstract T Broadcast(float value);

    static abstract T Load(float* source);

    static abstract void Store(T value, float* target);

    /// <summary>Sixteen bf16 as float32: the low (0) or high (1) halves of sixteen 32-bit words.</summary>
    static abstract T LoadHalves(byte* source, int half);

    /// <summary>Sixteen whole numbers: the low (0) or high (1) halves of sixteen 32-bit words, signed.</summary>
    static abstract T LoadShorts(byte* source, int half);

    /// <summary>Stores whole numbers from -32767 to 32767 in the low (0) or high (1) halves of sixteen 32-bit words; the other halves
    /// stay.</summary>
    static abstract void StoreShorts(T value, byte* target, int half);

    static abstract T operator +(T a, T b);

    static abstract T operator -(T a, T b);

    static abstract T operator *(T a, T b);

    static abstract T operator /(T a, T b);

    /// <summary>a * b + c with one rounding.</summary>
    static abstract T MultiplyAdd(T a, T b, T c);

    static abstract T Min(T a, T b);

    static abstract T Max(T a, T b);

    /// <summary>To the nearest whole number, halves to even.</summary>
    static abstract T Round(T value);

    /// <summary>2 to the power of whole numbers from -126 to 127.</summary>
    static abstract T PowerOfTwo(T exponent);

    /// <summary>The first <paramref name="count"/> lanes of <paramref name="value"/>,
    /// <paramref name="other"/> in the rest.</summary>
    static abstract T KeepFirst(T value, int count, float other);

    /// <summary>Lane i with lane i + 8, then with i + 4, i + 2, i + 1.</summary>
    static abstract float Sum(T value);

    static abstract float Max(T value);
}

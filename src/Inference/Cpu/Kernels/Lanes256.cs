using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Serving.Inference.Cpu.Kernels;

/// <summary>Sixteen float32 in two AVX2 registers.</summary>
[method: MethodImpl(MethodImplOptions.AggressiveInlining)]
internal readonly unsafe struct Lanes256(Vector256<float> low, Vector256<float> high) : ILanes<Lanes256>
{
    private readonly Vector256<float> _low = low;
    private readonly Vector256<float> _high = high;

    public static bool HasManyRegisters => false;

    public static Lanes256 Zero => new(Vector256<float>.Zero, Vector256<float>.Zero);

    public static Lanes256 Broadcast(float value) => new(Vector256.Create(value), Vector256.Create(value));

    public static Lanes256 Load(float* source) => new(Vector256.Load(source), Vector256.Load(source + 8));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes256 value, float* target)
    {
        value._low.Store(target);
        value._high.Store(target + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 LoadHalves(byte* source, int half)
    {
        Vector256<uint> low = Vector256.Load((uint*)source), high = Vector256.Load((uint*)source + 8);
        Vector256<uint> mask = Vector256.Create(0xFFFF0000u);
        return half == 0
            ? new((low << 16).AsSingle(), (high << 16).AsSingle())
            : new((low & mask).AsSingle(), (high & mask).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 LoadShorts(byte* source, int half) => new(LoadShorts((int*)source, half), LoadShorts((int*)source + 8, half));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreShorts(Lanes256 value, byte* target, int half)
    {
        StoreShorts(value._low, (int*)target, half);
        StoreShorts(value._high, (int*)target + 8, half);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 operator +(Lanes256 a, Lanes256 b) => new(a._low + b._low, a._high + b._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 operator -(Lanes256 a, Lanes256 b) => new(a._low - b._low, a._high - b._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 operator *(Lanes256 a, Lanes256 b) => new(a._low * b._low, a._high * b._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 operator /(Lanes256 a, Lanes256 b) => new(a._low / b._low, a._high / b._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 MultiplyAdd(Lanes256 a, Lanes256 b, Lanes256 c) =>
        new(Fma.MultiplyAdd(a._low, b._low, c._low), Fma.MultiplyAdd(a._high, b._high, c._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Min(Lanes256 a, Lanes256 b) => new(Avx.Min(a._low, b._low), Avx.Min(a._high, b._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Max(Lanes256 a, Lanes256 b) => new(Avx.Max(a._low, b._low), Avx.Max(a._high, b._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Round(Lanes256 value) =>
        new(Avx.RoundToNearestInteger(value._low), Avx.RoundToNearestInteger(value._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 PowerOfTwo(Lanes256 exponent)
    {
        Vector256<int> bias = Vector256.Create(127);
        return new(((Avx.ConvertToVector256Int32(exponent._low) + bias) << 23).AsSingle(),
            ((Avx.ConvertToVector256Int32(exponent._high) + bias) << 23).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 KeepFirst(Lanes256 value, int count, float other) =>
        new(Keep(value._low, count, other), Keep(value._high, count - 8, other));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Lanes256 value)
    {
        Vector256<float> eight = value._low + value._high;
        return Lanes128.Sum(eight.GetLower() + eight.GetUpper());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Max(Lanes256 value)
    {
        Vector256<float> eight = Avx.Max(value._low, value._high);
        return Lanes128.Max(Sse.Max(eight.GetLower(), eight.GetUpper()));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Keep(Vector256<float> value, int count, float other) => Vector256.ConditionalSelect(
        Vector256.LessThan(Vector256<int>.Indices, Vector256.Create(count)).AsSingle(), value, Vector256.Create(other));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> LoadShorts(int* source, int half)
    {
        Vector256<int> words = Vector256.Load(source);
        return Vector256.ConvertToSingle((half == 0 ? words << 16 : words) >> 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreShorts(Vector256<float> value, int* target, int half)
    {
        Vector256<int> numbers = Avx.ConvertToVector256Int32(value), words = Vector256.Load(target), low = Vector256.Create(0xFFFF);
        words = half == 0 ? (words & ~low) | (numbers & low) : (words & low) | (numbers << 16);
        words.Store(target);
    }
}

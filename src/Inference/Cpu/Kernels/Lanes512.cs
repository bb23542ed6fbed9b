using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Serving.Inference.Cpu.Kernels;

/// <summary>Sixteen float32 in one AVX-512 register.</summary>
internal readonly unsafe struct Lanes512(Vector512<float> value) : ILanes<Lanes512>
{
    private readonly Vector512<float> _value = value;

    public static bool HasManyRegisters => true;

    public static Lanes512 Zero => new(Vector512<float>.Zero);

    public static Lanes512 Broadcast(float value) => new(Vector512.Create(value));

    public static Lanes512 Load(float* source) => new(Vector512.Load(source));

    public static void Store(Lanes512 value, float* target) => value._value.Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 LoadHalves(byte* source, int half)
    {
        Vector512<uint> words = Vector512.Load((uint*)source);
        return new((half == 0 ? words << 16 : words & Vector512.Create(0xFFFF0000u)).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 LoadShorts(byte* source, int half)
    {
        Vector512<int> words = Vector512.Load((int*)source);
        return new(Vector512.ConvertToSingle((half == 0 ? words << 16 : words) >> 16));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreShorts(Lanes512 value, byte* target, int half)
    {
        Vector512<int> numbers = Avx512F.ConvertToVector512Int32(value._value), words = Vector512.Load((int*)target);
        Vector512<int> low = Vector512.Create(0xFFFF);
        words = half == 0 ? (words & ~low) | (numbers & low) : (words & low) | (numbers << 16);
        words.Store((int*)target);
    }

    public static Lanes512 operator +(Lanes512 a, Lanes512 b) => new(a._value + b._value);

    public static Lanes512 operator -(Lanes512 a, Lanes512 b) => new(a._value - b._value);

    public static Lanes512 operator *(Lanes512 a, Lanes512 b) => new(a._value * b._value);

    public static Lanes512 operator /(Lanes512 a, Lanes512 b) => new(a._value / b._value);

    public static Lanes512 MultiplyAdd(Lanes512 a, Lanes512 b, Lanes512 c) =>
        new(Avx512F.FusedMultiplyAdd(a._value, b._value, c._value));

    public static Lanes512 Min(Lanes512 a, Lanes512 b) => new(Avx512F.Min(a._value, b._value));

    public static Lanes512 Max(Lanes512 a, Lanes512 b) => new(Avx512F.Max(a._value, b._value));

    public static Lanes512 Round(Lanes512 value) => new(Avx512F.RoundScale(value._value, 0));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 PowerOfTwo(Lanes512 exponent)
    {
        Vector512<int> biased = Avx512F.ConvertToVector512Int32(exponent._value) + Vector512.Create(127);
        return new((biased << 23).AsSingle());
    }

    public static Lanes512 KeepFirst(Lanes512 value, int count, float other) => new(Vector512.ConditionalSelect(
        Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(count)).AsSingle(), value._value, Vector512.Create(other)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Lanes512 value)
    {
        Vector256<float> eight = value._value.GetLower() + value._value.GetUpper();
        return Lanes128.Sum(eight.GetLower() + eight.GetUpper());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Max(Lanes512 value)
    {
        Vector256<float> eight = Avx.Max(value._value.GetLower(), value._value.GetUpper());
        return Lanes128.Max(Sse.Max(eight.GetLower(), eight.GetUpper()));
    }
}

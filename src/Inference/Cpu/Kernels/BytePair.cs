using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Serving.Inference.Cpu.Kernels;

/// <summary>The sums of sixteen neighbouring outputs, as whole numbers.</summary>
internal readonly unsafe struct BytePair<TDot>(Vector256<int> first, Vector256<int> second)
    where TDot : IByteDot
{
    private readonly Vector256<int> _first = first;
    private readonly Vector256<int> _second = second;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BytePair<TDot> Of(int start) => new(Vector256.Create(start), Vector256.Create(start));

    /// <summary>Adds the products of four inputs.</summary>
    /// <param name="weights">[16, 4].</param>
    /// <param name="x">[4].</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public BytePair<TDot> Add(byte* weights, sbyte* x)
    {
        Vector256<sbyte> values = Vector256.Create(*(int*)x).AsSByte();
        return new(TDot.Add(_first, Vector256.Load(weights), values), TDot.Add(_second, Vector256.Load(weights + 32), values));
    }

    /// <summary>Adds the scaled sums to <paramref name="sums"/>.</summary>
    /// <param name="scale">Of the row's group.</param>
    /// <param name="weightScales">Of 32 outputs, paired bf16.</param>
    /// <param name="half">Which of each pair is meant: the low (0) or the high (1).</param>
    /// <param name="sums">[16].</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddTo(float scale, byte* weightScales, int half, float* sums)
    {
        AddTo(_first, scale, weightScales, half, sums);
        AddTo(_second, scale, weightScales + 32, half, sums + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddTo(Vector256<int> dots, float scale, byte* weightScales, int half, float* sums)
    {
        Vector256<uint> words = Vector256.Load((uint*)weightScales);
        Vector256<float> weightScale = (half == 0 ? words << 16 : words & Vector256.Create(0xFFFF0000u)).AsSingle();
        Vector256<float> scaled = Vector256.ConvertToSingle(dots) * Vector256.Create(scale);
        Vector256.MultiplyAddEstimate(scaled, weightScale, Vector256.Load(sums)).Store(sums);
    }
}

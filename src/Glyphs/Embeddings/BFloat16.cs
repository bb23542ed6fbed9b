using System.Runtime.Intrinsics;

namespace Serving.Glyphs.Embeddings;

/// <summary>The upper halves of float32: eight bits of exponent, seven of fraction. Widening is exact.</summary>
public static class BFloat16
{
    /// <summary>A float32 of its upper half.</summary>
    public static float Widen(ushort half) => BitConverter.UInt32BitsToSingle((uint)half << 16);

    /// <summary>Widens a row of halves to the front of <paramref name="floats"/>.</summary>
    public static void Widen(ReadOnlySpan<ushort> halves, Span<float> floats)
    {
        int i = 0;
        for (; i <= halves.Length - Vector256<ushort>.Count; i += Vector256<ushort>.Count)
        {
            (Vector256<uint> low, Vector256<uint> high) = Vector256.Widen(Vector256.Create(halves[i..]));
            (low << 16).AsSingle().CopyTo(floats[i..]);
            (high << 16).AsSingle().CopyTo(floats[(i + Vector256<float>.Count)..]);
        }

        for (; i < halves.Length; i++) floats[i] = Widen(halves[i]);
    }
}

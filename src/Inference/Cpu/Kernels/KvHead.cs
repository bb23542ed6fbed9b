using System.Runtime.CompilerServices;

namespace Serving.Inference.Cpu.Kernels;

/// <summary>
/// How a block of 16 tokens holds the keys, or the values, of one head: a scale for each token, then whole numbers of 16 bits in rows of
/// 16 lanes. A row of keys is one element of 16 tokens; rows of values are <c>width</c> elements of one token, 16 at a time.
/// </summary>
/// <remarks>A word holds a number of the even row below and one of the odd row above, so that shifts widen sixteen of both. With 65,535
/// steps from -largest to largest answers stay within 1e-4 of float32's at half its memory, where bf16 is sixty times as
/// coarse. A token with anything that is not finite has a scale that is not a number, and spoils who sees it.</remarks>
internal static unsafe class KvHead
{
    private const int ScaleBytes = Lanes.Count * sizeof(float);
    private const float Steps = short.MaxValue;

    /// <summary>Bytes of a pair of rows of keys, or of 16 columns of a pair of rows of values.</summary>
    public const int PairBytes = Lanes.Count * sizeof(uint);

    /// <summary>Bytes of a block's keys, or values.</summary>
    public static nint BytesOf(int headStride) => ScaleBytes + ((nint)headStride * Lanes.Count * sizeof(short));

    /// <summary>The scales of the 16 tokens.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Scales<T>(byte* head)
        where T : unmanaged, ILanes<T> => T.Load((float*)head);

    /// <summary>Sixteen numbers of an even row and of the odd row after it, not yet scaled.</summary>
    /// <param name="head">The block.</param>
    /// <param name="width">Values a row.</param>
    /// <param name="pair">Rows 2 <paramref name="pair"/> and 2 <paramref name="pair"/> + 1.</param>
    /// <param name="column">The first of the sixteen.</param>
    /// <param name="even">Of the even row.</param>
    /// <param name="odd">Of the odd row.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load<T>(byte* head, nint width, nint pair, nint column, out T even, out T odd)
        where T : unmanaged, ILanes<T>
    {
        byte* words = head + ScaleBytes + (((pair * width) + column) * sizeof(uint));
        even = T.LoadShorts(words, 0);
        odd = T.LoadShorts(words, 1);
    }

    /// <summary>Stores a token's value.</summary>
    /// <param name="head">The block.</param>
    /// <param name="slot">The token's place in it.</param>
    /// <param name="value">[<paramref name="width"/>].</param>
    /// <param name="width">A multiple of 16.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreValue<T>(byte* head, int slot, float* value, nint width)
        where T : unmanaged, ILanes<T>
    {
        T inverse = T.Broadcast(StoreScale<T>(head, slot, value, width));
        byte* words = head + ScaleBytes + ((slot >> 1) * width * sizeof(uint));
        for (nint i = 0; i < width; i += Lanes.Count)
            T.StoreShorts(T.Round(T.Load(value + i) * inverse), words + (i * sizeof(uint)), slot & 1);
    }

    /// <summary>Stores a token's key.</summary>
    /// <param name="head">The block.</param>
    /// <param name="slot">The token's place in it.</param>
    /// <param name="key">[<paramref name="width"/>]; changed.</param>
    /// <param name="width">A multiple of 16.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreKey<T>(byte* head, int slot, float* key, nint width)
        where T : unmanaged, ILanes<T>
    {
        T inverse = T.Broadcast(StoreScale<T>(head, slot, key, width));
        for (nint i = 0; i < width; i += Lanes.Count)
            T.Store(T.Round(T.Load(key + i) * inverse), key + i);
        short* target = (short*)(head + ScaleBytes) + (2 * slot);
        for (nint i = 0; i < width; i += 2, target += 2 * Lanes.Count)
            (target[0], target[1]) = ((short)key[i], (short)key[i + 1]);
    }

    // Gives what to multiply with, zero for a row so small that its inverse would be infinite.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float StoreScale<T>(byte* head, int slot, float* values, nint width)
        where T : unmanaged, ILanes<T>
    {
        T largest = T.Zero, spoilt = T.Zero;
        for (nint i = 0; i < width; i += Lanes.Count)
        {
            T x = T.Load(values + i);
            largest = T.Max(largest, T.Max(x, T.Zero - x));
            spoilt = T.MultiplyAdd(x, T.Zero, spoilt);
        }

        float scale = (T.Max(largest) / Steps) + T.Sum(spoilt);
        ((float*)head)[slot] = scale;
        return scale > 1e-35f ? 1 / scale : 0;
    }
}

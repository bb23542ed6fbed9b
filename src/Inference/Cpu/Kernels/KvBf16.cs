using System.Runtime.CompilerServices;

namespace Serving.Inference.Cpu.Kernels;

/// <summary>Keys and values as bf16, rounded to the nearest: a word holds a value of the even row below and one of the odd row
/// above, so that a shift and a mask widen sixteen of both.</summary>
internal readonly unsafe struct KvBf16 : IKvFormat
{
    public static int Bytes => sizeof(ushort);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load<T>(byte* rows, nint width, nint pair, nint column, out T even, out T odd)
        where T : unmanaged, ILanes<T>
    {
        byte* words = rows + (((pair * width) + column) * sizeof(uint));
        even = T.LoadHalves(words, 0);
        odd = T.LoadHalves(words, 1);
    }

    public static void StoreRow<T>(byte* rows, nint width, nint row, float* values)
        where T : unmanaged, ILanes<T>
    {
        byte* words = rows + ((row >> 1) * width * sizeof(uint));
        for (nint i = 0; i < width; i += Lanes.Count)
            T.StoreHalves(T.RoundToBf16(T.Load(values + i)), words + (i * sizeof(uint)), (int)row & 1);
    }

    public static void StoreColumn<T>(byte* rows, nint column, float* values, int count)
        where T : unmanaged, ILanes<T>
    {
        for (nint i = 0; i < count; i += Lanes.Count)
            T.Store(T.RoundToBf16(T.Load(values + i)), values + i);
        ushort* halves = (ushort*)values, target = (ushort*)rows + (2 * column);
        for (nint i = 0; i < count; i += 2, target += 2 * Lanes.Count)
        {
            target[0] = halves[(2 * i) + 1];
            target[1] = halves[(2 * i) + 3];
        }
    }
}

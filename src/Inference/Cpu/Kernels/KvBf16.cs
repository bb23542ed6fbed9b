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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(byte* rows, nint width, nint row, nint column, float value)
    {
        // Halves to even. What is not a number stays one: its quiet bit survives the cut.
        uint bits = BitConverter.SingleToUInt32Bits(value);
        bits = float.IsNaN(value) ? bits | 0x400000 : bits + 0x7FFF + ((bits >> 16) & 1);
        ((ushort*)rows)[(((row >> 1) * width) + column) * 2 + (row & 1)] = (ushort)(bits >> 16);
    }
}

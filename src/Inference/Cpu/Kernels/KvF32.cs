using System.Runtime.CompilerServices;

namespace Serving.Inference.Cpu.Kernels;

/// <summary>Keys and values as they are.</summary>
internal readonly unsafe struct KvF32 : IKvFormat
{
    public static int Bytes => sizeof(float);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load<T>(byte* rows, nint width, nint pair, nint column, out T even, out T odd)
        where T : unmanaged, ILanes<T>
    {
        float* row = (float*)rows + (2 * pair * width) + column;
        even = T.Load(row);
        odd = T.Load(row + width);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(byte* rows, nint width, nint row, nint column, float value) =>
        ((float*)rows)[(row * width) + column] = value;
}

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

    public static void StoreRow<T>(byte* rows, nint width, nint row, float* values)
        where T : unmanaged, ILanes<T>
    {
        float* target = (float*)rows + (row * width);
        for (nint i = 0; i < width; i += Lanes.Count)
            T.Store(T.Load(values + i), target + i);
    }

    public static void StoreColumn<T>(byte* rows, nint column, float* values, int count)
        where T : unmanaged, ILanes<T>
    {
        float* target = (float*)rows + column;
        for (nint i = 0; i < count; i++)
            target[i * Lanes.Count] = values[i];
    }
}

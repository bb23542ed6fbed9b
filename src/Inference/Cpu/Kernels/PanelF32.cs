using System.Runtime.CompilerServices;

namespace Serving.Inference.Cpu.Kernels;

/// <summary>64 float32, in order.</summary>
internal readonly unsafe struct PanelF32 : IPanel
{
    public static int RowBytes => 256;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Load<T>(byte* row, int column)
        where T : unmanaged, ILanes<T> => T.Load((float*)row + (column * Lanes.Count));
}

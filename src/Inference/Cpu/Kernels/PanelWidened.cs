using System.Runtime.CompilerServices;

namespace Serving.Inference.Cpu.Kernels;

/// <summary>The whole numbers of <see cref="PanelInt8"/> as float32, for a product with many rows.</summary>
internal readonly unsafe struct PanelWidened : IPanel
{
    public static int RowBytes => PanelF32.RowBytes;

    public static bool IsScaled => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Load<T>(byte* row, int column)
        where T : unmanaged, ILanes<T> => PanelF32.Load<T>(row, column);
}

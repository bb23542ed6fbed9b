using System.Runtime.CompilerServices;

namespace Serving.Inference.Cpu.Kernels;

/// <summary>64 bf16 in pairs: word i of each half holds output i below and output i + 16 above, so that a shift and a mask
/// widen 32 weights from one register.</summary>
internal readonly unsafe struct PanelBf16 : IPanel
{
    public static int RowBytes => 128;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Load<T>(byte* row, int column)
        where T : unmanaged, ILanes<T> => T.LoadHalves(row + ((column >> 1) * 64), column & 1);
}

using System.Runtime.CompilerServices;
using Serving.Inference.Checkpoints;

namespace Serving.Inference.Cpu.Kernels;

/// <summary>64 signed bytes, in order. <see cref="GroupInputs"/> inputs share a scale for each output: their products with the
/// whole numbers are summed first, and the sum is scaled and added in one step.</summary>
internal readonly unsafe struct PanelInt8 : IPanel
{
    /// <summary>Inputs that share a scale; the last group of a matrix may have fewer.</summary>
    public const int GroupInputs = EightBits.GroupInputs;

    /// <summary>Bytes of a group's 64 scales.</summary>
    public const int ScaleBytes = 128;

    public static int RowBytes => 64;

    public static bool IsScaled => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Load<T>(byte* row, int column)
        where T : unmanaged, ILanes<T> => T.LoadBytes((sbyte*)row + (column * Lanes.Count));
}

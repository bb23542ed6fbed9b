namespace Serving.Inference.Cpu.Kernels;

/// <summary>How many values lanes hold.</summary>
internal static class Lanes
{
    public const int Count = 16;

    /// <summary>The next multiple of <see cref="Count"/>.</summary>
    public static int RoundUp(int count) => (count + Count - 1) & -Count;
}

namespace Serving.Inference.Cpu.Kernels;

/// <summary>How the 64 weights that meet one input value lie in a panel.</summary>
internal unsafe interface IPanel
{
    /// <summary>Bytes from one input's weights to the next input's.</summary>
    static abstract int RowBytes { get; }

    /// <summary>Weights 16 <paramref name="column"/> and the 15 after it, as float32.</summary>
    static abstract T Load<T>(byte* row, int column)
        where T : unmanaged, ILanes<T>;
}

namespace Serving.Inference.Cpu.Kernels;

/// <summary>How packed weights are stored. Sums are float32 in all of them, but within a group of bytes.</summary>
internal enum WeightFormat
{
    /// <summary>As they are.</summary>
    F32,

    /// <summary>As they are.</summary>
    BF16,

    /// <summary>Whole numbers from -127 to 127; see <see cref="PanelInt8"/>.</summary>
    Int8,
}

using Serving.Inference.Checkpoints;

namespace Serving.Inference.Cpu.Kernels;

/// <summary>
/// Whole numbers from -127 to 127, plus 128, as bytes: four inputs of an output side by side, [inputs / 4, 64 outputs, 4], the last
/// inputs filled up. <see cref="GroupInputs"/> inputs share a scale for each output, a bf16 paired as in <see cref="PanelBf16"/>.
/// </summary>
internal static class PanelInt8
{
    /// <summary>Inputs that share a scale; the last group of a matrix may have fewer.</summary>
    public const int GroupInputs = EightBits.GroupInputs;

    /// <summary>Bytes of a group's 64 scales.</summary>
    public const int ScaleBytes = 128;

    /// <summary>Inputs side by side.</summary>
    public const int QuadInputs = 4;

    /// <summary>Bytes of four inputs' weights.</summary>
    public const int QuadBytes = QuadInputs * KernelSet.PanelOutputs;

    /// <summary>What is added to a whole number to make it a byte.</summary>
    public const int Offset = 128;
}

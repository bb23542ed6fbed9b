using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu.Kernels;

namespace Serving.Inference.Cpu;

/// <summary>What becomes of a model's matrices when they are packed. Norms, biases and the frozen table always keep their
/// precision, and sums are float32.</summary>
public enum Quantization
{
    /// <summary>bf16 stays bf16; float32 and float16 become float32.</summary>
    None,

    /// <summary>Whole numbers from -127 to 127 with one bf16 scale for 64 weights of an output: 8.25 bits a weight. What they are
    /// multiplied with becomes whole numbers, too, with a float32 scale for 64 values of a row.</summary>
    EightBits,
}

/// <summary>The formats that a quantization means.</summary>
internal static class QuantizationFormats
{
    /// <summary>How matrices that are packed as one are stored.</summary>
    public static WeightFormat FormatOf(this Quantization quantization, params ReadOnlySpan<LinearWeights> parts)
    {
        if (quantization == Quantization.EightBits || parts[0].Scales is not null)
            return WeightFormat.Int8;
        foreach (LinearWeights part in parts)
        {
            if (part.Weight.DType != DType.BF16)
                return WeightFormat.F32;
        }

        return WeightFormat.BF16;
    }

    /// <summary>What becomes of a model that may have been quantized when it was written.</summary>
    public static Quantization For(this Quantization quantization, TransformerWeights weights) =>
        weights.IsQuantized ? Quantization.EightBits : quantization;
}

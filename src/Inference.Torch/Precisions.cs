using Serving.Inference.Checkpoints;
using TorchSharp;

namespace Serving.Inference.Torch;

/// <summary>The element types that precisions mean.</summary>
internal static class Precisions
{
    /// <summary>What a model's matrices are held as.</summary>
    public static torch.ScalarType TypeOn(this TransformerWeights weights, Precision precision) => precision switch
    {
        Precision.Float32 => torch.ScalarType.Float32,
        Precision.BFloat16 => torch.ScalarType.BFloat16,
        Precision.Float16 => torch.ScalarType.Float16,
        _ => weights.Head.Weight.DType.ToTorch(),
    };

    /// <summary>libtorch's name of a type that weights may have.</summary>
    public static torch.ScalarType ToTorch(this DType type) => type switch
    {
        DType.BF16 => torch.ScalarType.BFloat16,
        DType.F16 => torch.ScalarType.Float16,
        _ => torch.ScalarType.Float32,
    };
}

using Serving.Inference.Checkpoints;
using TorchSharp;

namespace Serving.Inference.Torch;

/// <summary>A norm on a device. It computes in float32 and hands on what matrices are held as.</summary>
/// <param name="Weight">[width], float32.</param>
/// <param name="Bias">[width], float32; null = none.</param>
/// <param name="Kind">How it normalises.</param>
/// <param name="Epsilon">Added to the variance.</param>
/// <param name="Output">The type of what comes out.</param>
internal sealed record DeviceNorm(DeviceTensor Weight, DeviceTensor? Bias, NormKind Kind, double Epsilon, torch.ScalarType Output)
{
    private readonly long[] _shape = Weight.shape;

    /// <summary>[rows, width] to the same.</summary>
    public DeviceTensor Apply(DeviceTensor rows)
    {
        DeviceTensor normed = Kind == NormKind.Layer
            ? torch.nn.functional.layer_norm(rows, _shape, Weight, Bias, Epsilon)
            : rows.mul(rows.mul(rows).mean([-1], keepdim: true).add_(Epsilon).rsqrt_()).mul_(Weight);
        return normed.to_type(Output);
    }
}

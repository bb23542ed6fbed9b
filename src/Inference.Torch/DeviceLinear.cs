using TorchSharp;

namespace Serving.Inference.Torch;

/// <summary>A linear map on a device.</summary>
/// <param name="Weight">[outputs, inputs].</param>
/// <param name="Bias">[outputs], of the same type; null = none.</param>
internal sealed record DeviceLinear(DeviceTensor Weight, DeviceTensor? Bias)
{
    /// <summary>[rows, inputs] to [rows, outputs].</summary>
    public DeviceTensor Apply(DeviceTensor rows) => torch.nn.functional.linear(rows, Weight, Bias);
}

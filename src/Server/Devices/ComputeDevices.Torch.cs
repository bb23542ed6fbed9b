using Serving.Inference.Devices;
using Serving.Inference.Torch;

namespace Serving.Server.Devices;

/// <summary>The devices of libtorch.</summary>
internal static partial class ComputeDevices
{
    static partial void OpenTorch(DeviceRequest request, ref IDevice? device) => device = TorchDevice.Open(request.Name, new TorchOptions
    {
        Threads = request.Cpu.Threads,
        KvBlocks = request.Cpu.KvBlocks,
        Precision = request.Precision switch
        {
            "float32" => Precision.Float32,
            "bfloat16" => Precision.BFloat16,
            "float16" => Precision.Float16,
            _ => Precision.Stored,
        },
        Quantization = request.Cpu.Quantization,
    });
}

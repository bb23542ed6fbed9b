using Serving.Inference.Cpu;
using Serving.Inference.Devices;

namespace Serving.Server.Devices;

/// <summary>Opens devices by name. A build with <c>-p:Torch=cpu</c> or <c>-p:Torch=cuda</c> has one file more of this class, which
/// knows those of libtorch.</summary>
internal static partial class ComputeDevices
{
    /// <exception cref="DeviceUnavailableException">This build, or this machine, has no such device, or it cannot do what is asked.
    /// </exception>
    public static IDevice Open(DeviceRequest request)
    {
        if (request.Name == "cpu")
            return new CpuDevice(request.Cpu);
        IDevice? device = null;
        OpenTorch(request, ref device);
        return device ?? throw new DeviceUnavailableException(
            $"The device '{request.Name}' needs the TorchSharp backend, which this server was built without.",
            $"Build it with -p:Torch={(request.Name == "torch-cpu" ? "cpu" : "cuda")}, or use the device cpu.");
    }

    static partial void OpenTorch(DeviceRequest request, ref IDevice? device);
}

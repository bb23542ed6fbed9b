using Serving.Inference.Devices;
using Serving.Inference.Torch;

namespace Serving.Inference.Tests.Devices;

/// <summary>Those of libtorch.</summary>
internal static partial class TestDevices
{
    static partial void OpenTorch(string name, int kvBlocks, ref IDevice? device, ref string reason)
    {
        try
        {
            device = TorchDevice.Open(name, new TorchOptions { Threads = 2, KvBlocks = kvBlocks, Precision = Precision.Float32 });
        }
        catch (DeviceUnavailableException unavailable)
        {
            reason = unavailable.Message;
        }
    }
}

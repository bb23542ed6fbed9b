using Serving.Inference.Cpu;
using Serving.Inference.Devices;

namespace Serving.Inference.Tests.Devices;

/// <summary>The devices that every backend test runs on: those that are missing here are skipped, with a message.</summary>
internal static partial class TestDevices
{
    public const string Cpu = "cpu", TorchCpu = "torch-cpu", Cuda = "cuda:0";

    public static TheoryData<string> All => [Cpu, TorchCpu, Cuda];

    /// <summary>A device that computes in float32.</summary>
    public static IDevice Open(string name, int kvBlocks = 24)
    {
        if (name == Cpu)
            return new CpuDevice(new CpuOptions { Threads = 2, KvBlocks = kvBlocks });
        (IDevice? device, string reason) = (null, $"This build has no device '{name}': it was made without -p:Torch=cpu or -p:Torch=cuda.");
        OpenTorch(name, kvBlocks, ref device, ref reason);
        Assert.SkipWhen(device is null, reason);
        return device!;
    }

    static partial void OpenTorch(string name, int kvBlocks, ref IDevice? device, ref string reason);
}

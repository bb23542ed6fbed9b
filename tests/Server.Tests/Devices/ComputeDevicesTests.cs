using Serving.Inference.Cpu;
using Serving.Inference.Devices;
using Serving.Server.Devices;
using Serving.Server.Hosting;

namespace Serving.Server.Tests.Devices;

public sealed class ComputeDevicesTests
{
    [Fact]
    public void Open_Cpu_IsThisProjectsOwn() => Assert.IsType<CpuDevice>(ComputeDevices.Open(new DeviceRequest("cpu")));

    // Also where the backend is built in, but no such GPU is there.
    [Theory]
    [InlineData("cuda")]
    [InlineData("cuda:31")]
    public void Open_GpuThatIsNotThere_NamesTheBuildSwitch(string name)
    {
        var refused = Assert.Throws<DeviceUnavailableException>(() => ComputeDevices.Open(new DeviceRequest(name)));
        Assert.Contains($"'{name}'", refused.What.Replace("cuda:0", "cuda", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Contains("-p:Torch=cuda", refused.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void DeviceProblems_DevicesThatAreNotThere_AreToldOnceEach()
    {
        var options = new ServingOptions
        {
            Placement = { new() { Model = "a", Device = "cuda:30" }, new() { Model = "b", Device = "cuda:31" }, new() { Model = "c", Device = "cuda:30" } },
        };
        Assert.Equal(2, options.DeviceProblems().Count());
        Assert.IsType<CpuDevice>(options.DeviceOf("somebody else"));
        Assert.Throws<DeviceUnavailableException>(() => options.DeviceOf("b"));
    }
}

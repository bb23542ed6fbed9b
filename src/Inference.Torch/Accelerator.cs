using System.Collections.Concurrent;
using System.Globalization;
using Serving.Inference.Devices;
using TorchSharp;

namespace Serving.Inference.Torch;

/// <summary>One of libtorch's devices, once for the process: the tensors that models share there, and the turn of who computes.
/// Thread-safe.</summary>
internal sealed class Accelerator
{
    private const string Remedy = "Install what the build names, or use the device cpu.";

    private static readonly ConcurrentDictionary<string, Accelerator> Known = new();

    private Accelerator(string name, torch.Device place) => (Name, Place) = (name, place);

    /// <summary>As settings name it, the number of a GPU included.</summary>
    public string Name { get; }

    public torch.Device Place { get; }

    /// <summary>Whether its memory is the process's own.</summary>
    public bool IsHost => Place.type == DeviceType.CPU;

    /// <summary>Held for a whole forward pass, so that the scratch memory of two never adds up.</summary>
    public Lock Gate { get; } = new();

    public SharedTensors Tensors { get; } = new();

    /// <exception cref="DeviceUnavailableException">libtorch cannot be loaded, or it sees no such GPU.</exception>
    public static Accelerator Open(string name)
    {
        if (name == "torch-cpu")
            return Known.GetOrAdd(name, static name => new Accelerator(Load(name, DeviceType.CPU), torch.CPU));
        int index = name == "cuda" ? 0 : int.Parse(name.AsSpan("cuda:".Length), NumberStyles.None, CultureInfo.InvariantCulture);
        return Known.GetOrAdd($"cuda:{index}", static (name, index) =>
        {
            int count = torch.TryInitializeDeviceType(DeviceType.CUDA) && torch.cuda.is_available() ? torch.cuda.device_count() : 0;
            return index < count
                ? new Accelerator(name, new torch.Device(DeviceType.CUDA, index))
                : throw new DeviceUnavailableException(
                    $"The device '{name}' is not there: libtorch sees {count} CUDA devices.",
                    "Build the server with -p:Torch=cuda and give it a driver and a GPU (in a container: --gpus all), or use the device cpu.");
        }, index);
    }

    /// <summary>Memory of the process that the device copies from and to at full speed; the caller disposes it.</summary>
    public DeviceTensor HostMemory(long elements, torch.ScalarType type)
    {
        DeviceTensor memory = torch.empty([elements], type, torch.CPU);
        return (IsHost ? memory : memory.pin_memory()).DetachFromDisposeScope();
    }

    /// <summary>Waits until the device has done all that it was asked.</summary>
    public void Wait()
    {
        if (!IsHost)
            torch.cuda.synchronize(Place);
    }

    private static string Load(string name, DeviceType type)
    {
        try
        {
            torch.InitializeDeviceType(type);
            return name;
        }
        catch (Exception fault) when (fault is NotSupportedException or InvalidOperationException or DllNotFoundException or TypeInitializationException)
        {
            throw new DeviceUnavailableException($"The device '{name}' cannot be used, because libtorch does not load: {fault.Message}", Remedy);
        }
    }
}

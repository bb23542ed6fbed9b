using System.Runtime.InteropServices;
using TorchSharp;

namespace Serving.Inference.Torch;

/// <summary>The process's side of what goes to a device and comes back: one buffer each way, pinned where that makes copies faster,
/// which grow to the largest pass.</summary>
/// <param name="accelerator">The device.</param>
internal sealed class StepMemory(Accelerator accelerator) : IDisposable
{
    private DeviceTensor? _indices;
    private DeviceTensor? _floats;

    /// <summary>Indices, in the process's memory.</summary>
    public DeviceTensor Fill(ReadOnlySpan<long> indices)
    {
        Grow(ref _indices, indices.Length, torch.ScalarType.Int64);
        DeviceTensor part = _indices!.narrow(0, 0, indices.Length);
        indices.CopyTo(MemoryMarshal.Cast<byte, long>(part.bytes));
        return part;
    }

    /// <summary>Waits for a device's values, and reads them.</summary>
    /// <param name="values">float32, of any shape.</param>
    /// <returns>The values, until the next call.</returns>
    public ReadOnlySpan<float> Bring(DeviceTensor values)
    {
        Grow(ref _floats, values.NumberOfElements, torch.ScalarType.Float32);
        DeviceTensor part = _floats!.narrow(0, 0, values.NumberOfElements);
        part.copy_(values.reshape(-1));
        return MemoryMarshal.Cast<byte, float>(part.bytes);
    }

    public void Dispose()
    {
        _indices?.Dispose();
        _floats?.Dispose();
    }

    private void Grow(ref DeviceTensor? memory, long elements, torch.ScalarType type)
    {
        if (memory is not null && memory.NumberOfElements >= elements)
            return;
        memory?.Dispose();
        memory = accelerator.HostMemory(Math.Max(1024, elements), type);
    }
}

using Serving.Inference.Cpu.Kernels;

namespace Serving.Inference.Cpu;

/// <summary>Memory for activations as bytes. Grows to the largest product seen and then allocates nothing.</summary>
internal sealed unsafe class QuantizedRows : IDisposable
{
    private NativeBuffer? _memory;

    /// <summary>Bytes that products of so many rows and inputs make it take.</summary>
    public static long BytesOf(long rows, long inputs) =>
        Groups(inputs) * rows * (PanelInt8.GroupInputs + sizeof(ByteRows.Factor));

    /// <summary>Room for rows; what was in it before is gone.</summary>
    public ByteRows Make(int rows, int inputs)
    {
        long bytes = BytesOf(rows, inputs);
        if (_memory is null || _memory.Length < bytes)
        {
            _memory?.Dispose();
            _memory = new NativeBuffer(bytes);
        }

        long stride = Groups(inputs) * PanelInt8.GroupInputs;
        return new ByteRows((sbyte*)_memory.Bytes, (nint)stride, (ByteRows.Factor*)(_memory.Bytes + (rows * stride)));
    }

    public void Dispose() => _memory?.Dispose();

    private static long Groups(long inputs) => (inputs + PanelInt8.GroupInputs - 1) / PanelInt8.GroupInputs;
}

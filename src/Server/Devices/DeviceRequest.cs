using Serving.Inference.Cpu;

namespace Serving.Server.Devices;

/// <summary>A device as settings or the command line ask for it.</summary>
/// <param name="Name"><c>cpu</c>, <c>torch-cpu</c>, <c>cuda</c> or <c>cuda:N</c>.</param>
internal sealed record DeviceRequest(string Name)
{
    public const string Pattern = "^(cpu|torch-cpu|cuda(:[0-9]{1,2})?)$";
    public const string Names = "cpu, torch-cpu, cuda or cuda:N";
    public const string PrecisionPattern = "^(stored|float32|bfloat16|float16)$";
    public const string Precisions = "stored, float32, bfloat16 or float16";

    /// <summary>Threads, K/V blocks and quantization, as far as the device has a use for them.</summary>
    public CpuOptions Cpu { get; init; } = new();

    /// <summary>What matrices are held and multiplied as on a device other than cpu.</summary>
    public string Precision { get; init; } = "stored";
}

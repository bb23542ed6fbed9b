using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Serving.Inference.Devices;

namespace Serving.Inference.Torch;

/// <summary>Reads libtorch's complaints about memory, which come as text.</summary>
internal static partial class DeviceMemory
{
    /// <summary>What to throw instead of an exception of libtorch: with numbers where it is about memory, else the exception itself.
    /// </summary>
    /// <param name="fault">libtorch's exception.</param>
    /// <param name="device">The device's name.</param>
    /// <param name="purpose">What the memory was for.</param>
    public static Exception Explain(ExternalException fault, string device, string purpose)
    {
        Match asked = Asked().Match(fault.Message);
        if (!asked.Success)
            return fault;
        double amount = double.Parse(asked.Groups["amount"].Value, CultureInfo.InvariantCulture);
        long bytes = (long)(amount * asked.Groups["unit"].Value switch { "GiB" => 1L << 30, "MiB" => 1L << 20, "KiB" => 1L << 10, _ => 1 });
        return new DeviceMemoryException(device, purpose, bytes, fault.Message.Split('\n')[0], fault);
    }

    // "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of …" and
    // "DefaultCPUAllocator: can't allocate memory: you tried to allocate 123 bytes. …"
    [GeneratedRegex(@"[Tt]ried to allocate (?<amount>[0-9.]*[0-9]) (?<unit>GiB|MiB|KiB|bytes)")]
    private static partial Regex Asked();
}

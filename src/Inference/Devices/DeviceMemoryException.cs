namespace Serving.Inference.Devices;

/// <summary>A device has no room for what a model or a step of it needs. Other models, and other requests, go on.</summary>
/// <param name="device">The device's name.</param>
/// <param name="purpose">What the memory was for.</param>
/// <param name="neededBytes">How much of it.</param>
/// <param name="detail">What the device said.</param>
/// <param name="fault">Its own exception.</param>
public sealed class DeviceMemoryException(string device, string purpose, long neededBytes, string detail, Exception fault)
    : Exception($"{device} has no room for {purpose}, {neededBytes / 1048576.0:#,0.0} MiB: {detail}", fault)
{
    /// <summary>The device.</summary>
    public string Device { get; } = device;

    /// <summary>What was needed at least.</summary>
    public long NeededBytes { get; } = neededBytes;
}

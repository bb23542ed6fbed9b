namespace Serving.Inference.Devices;

/// <summary>A device that was asked for cannot be used by this build, on this machine, or in this way.</summary>
/// <param name="what">What is wrong.</param>
/// <param name="remedy">What to do about it.</param>
public sealed class DeviceUnavailableException(string what, string remedy) : Exception($"{what} {remedy}")
{
    /// <summary>What is wrong.</summary>
    public string What { get; } = what;

    /// <summary>What to do about it.</summary>
    public string Remedy { get; } = remedy;
}

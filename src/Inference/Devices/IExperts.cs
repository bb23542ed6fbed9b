namespace Serving.Inference.Devices;

/// <summary>A checkpoint's weights on a device: one expert, or several that answer with the mean of their logits. Any number of
/// backends stand on them. Thread-safe.</summary>
public interface IExperts : IDisposable
{
    /// <summary>The memory that the weights take, tables included; each piece once, though other models may hold it, too.</summary>
    IEnumerable<WeightPiece> Pieces { get; }

    /// <summary>A backend on these weights, with K/V of its own; the caller disposes it. It keeps the weights when this object lets
    /// go of them.</summary>
    /// <param name="kvBlocks">K/V blocks. 0 (default) = as many as the device was told.</param>
    /// <param name="stage">An earlier stage of a single grown expert on the same device, to draft with; null = it does not. A device
    /// that is not <see cref="IDevice.IsBatchInvariant"/> has no use for it.</param>
    /// <exception cref="ObjectDisposedException">Nobody holds the weights any more.</exception>
    /// <exception cref="DeviceMemoryException">The device has no room for the K/V.</exception>
    IBackend NewBackend(int kvBlocks = 0, IExperts? stage = null);
}

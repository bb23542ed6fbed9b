using Serving.Inference.Devices;
using TorchSharp;

namespace Serving.Inference.Torch;

/// <summary>
/// Weights of one device by content: tensors of equal values are one, however many models hold them, whatever they are called there.
/// So the frozen table is on a device once, for all experts that stand on it. Tensors here are no longer written to. Thread-safe.
/// </summary>
/// <remarks>Equal means compared value by value, on the device; the sum only tells what to compare with.</remarks>
internal sealed class SharedTensors
{
    private readonly Lock _gate = new();
    private readonly Dictionary<Content, List<DeviceTensor>> _byContent = [];
    private readonly Dictionary<DeviceTensor, Holding> _holdings = new(ReferenceEqualityComparer.Instance);

    /// <summary>Bytes of all tensors, each counted once.</summary>
    public long Bytes
    {
        get
        {
            lock (_gate)
                return _holdings.Keys.Sum(BytesOf);
        }
    }

    /// <summary>Gives a tensor away for one of the same values: itself, or one that others hold; it is freed then.</summary>
    /// <returns>What to use from now on, until <see cref="Release"/>.</returns>
    public DeviceTensor Share(DeviceTensor tensor)
    {
        Content content = ContentOf(tensor);
        lock (_gate)
        {
            if (!_byContent.TryGetValue(content, out List<DeviceTensor>? alike))
                _byContent.Add(content, alike = []);
            DeviceTensor? held = alike.Find(tensor.Equals);
            if (held is null)
            {
                alike.Add(held = tensor.DetachFromDisposeScope());
                _holdings.Add(held, new Holding(content));
            }
            else
                tensor.Dispose();
            _holdings[held].Holders++;
            return held;
        }
    }

    /// <summary>The memory that a tensor is in, for as long as somebody holds it.</summary>
    public WeightPiece PieceOf(DeviceTensor tensor)
    {
        lock (_gate)
            return new WeightPiece(_holdings[tensor], BytesOf(tensor));
    }

    /// <summary>Lets go of a tensor; the last one to do so frees it.</summary>
    public void Release(DeviceTensor tensor)
    {
        lock (_gate)
        {
            Holding holding = _holdings[tensor];
            if (--holding.Holders > 0)
                return;
            _holdings.Remove(tensor);
            _byContent[holding.Content].RemoveAll(other => ReferenceEquals(other, tensor)); // tensors equal each other by value
            if (_byContent[holding.Content].Count == 0)
                _byContent.Remove(holding.Content);
            tensor.Dispose();
        }
    }

    private static long BytesOf(DeviceTensor tensor) => tensor.NumberOfElements * tensor.ElementSize;

    private static Content ContentOf(DeviceTensor tensor)
    {
        using DeviceTensor sum = tensor.sum(torch.ScalarType.Float64);
        using DeviceTensor onHost = sum.cpu();
        return new Content(tensor.dtype, string.Join(',', tensor.shape), BitConverter.DoubleToInt64Bits(onHost.item<double>()));
    }

    private readonly record struct Content(torch.ScalarType Type, string Shape, long Sum);

    private sealed class Holding(Content content)
    {
        public Content Content => content;

        public int Holders { get; set; }
    }
}

using TorchSharp;

namespace Serving.Inference.Torch;

/// <summary>Keys and values of every block, in a device's memory from the start: [layers, blocks, 16 tokens, key and value, heads, D].
/// </summary>
internal sealed class DeviceKv : IDisposable
{
    /// <summary>Tokens a block: as the CPU backend's, so that experts on both can be averaged.</summary>
    public const int BlockTokens = 16;

    private readonly DeviceTensor _values; // [layers, blocks, values of a block]
    private readonly DeviceTensor[] _slots; // of each layer: [blocks · 16, 2, heads, D]
    private readonly DeviceTensor[] _blocks; // of each layer: [blocks, values of a block]

    public DeviceKv(Accelerator accelerator, torch.ScalarType type, int layers, int blocks, long heads, long headSize)
    {
        Blocks = blocks;
        // Zeros, because what a mask leaves out is still multiplied, by 0.
        _values = torch.zeros([layers, blocks, BlockTokens * 2 * heads * headSize], type, accelerator.Place).DetachFromDisposeScope();
        _blocks = [.. Enumerable.Range(0, layers).Select(layer => _values.select(0, layer).DetachFromDisposeScope())];
        _slots = [.. _blocks.Select(layer => layer.view((long)blocks * BlockTokens, 2, heads, headSize).DetachFromDisposeScope())];
    }

    /// <summary>How many blocks there are.</summary>
    public int Blocks { get; }

    /// <summary>Forgets what blocks held before: an earlier owner's numbers may be no numbers at all.</summary>
    public void Clear(DeviceTensor blocks) => _values.index_fill_(1, blocks, 0);

    /// <summary>Stores keys and values [rows, 2, heads, D].</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="slots">[rows]: block · 16 + place in it.</param>
    /// <param name="keyValues">What to store.</param>
    public void Store(int layer, DeviceTensor slots, DeviceTensor keyValues) => _slots[layer].index_copy_(0, slots, keyValues);

    /// <summary>Keys and values of whole blocks: [tables, values of a block].</summary>
    public DeviceTensor Gather(int layer, DeviceTensor tables) => _blocks[layer].index_select(0, tables);

    public void Dispose()
    {
        foreach (DeviceTensor view in _slots.Concat(_blocks))
            view.Dispose();
        _values.Dispose();
    }
}

using Serving.Inference.Cpu.Kernels;

namespace Serving.Inference.Cpu;

/// <summary>
/// Keys and values of every block, float32. Per layer: keys [block, head, element, token], so that lanes run over the 16
/// tokens of a block; values [block, head, token, element].
/// </summary>
internal sealed unsafe class KvStore : IDisposable
{
    /// <summary>Tokens a block: as many as lanes.</summary>
    public const int BlockTokens = Lanes.Count;

    private readonly NativeBuffer _values;
    private readonly long _layerFloats;
    private readonly int _headStride;

    public KvStore(int layers, int blocks, int heads, int headStride)
    {
        _headStride = headStride;
        BlockStride = (nint)heads * headStride * BlockTokens;
        _layerFloats = (long)blocks * BlockStride;
        _values = NativeBuffer.OfFloats(2 * layers * _layerFloats);
        Blocks = blocks;
    }

    /// <summary>How many blocks there are.</summary>
    public int Blocks { get; }

    /// <summary>Floats from a block to the next, in keys and in values.</summary>
    public nint BlockStride { get; }

    /// <summary>Keys of block 0.</summary>
    public float* Keys(int layer, int head) => _values.Floats + (2 * layer * _layerFloats) + (head * _headStride * BlockTokens);

    /// <summary>Values of block 0.</summary>
    public float* Values(int layer, int head) => Keys(layer, head) + _layerFloats;

    /// <summary>Stores a token's key and value, both [head stride].</summary>
    public void Write(int layer, int head, int block, int slot, float* key, float* value)
    {
        float* keys = Keys(layer, head) + (block * BlockStride) + slot;
        for (int i = 0; i < _headStride; i++)
            keys[i * BlockTokens] = key[i];
        float* values = Values(layer, head) + (block * BlockStride) + (slot * _headStride);
        new ReadOnlySpan<float>(value, _headStride).CopyTo(new Span<float>(values, _headStride));
    }

    public void Dispose() => _values.Dispose();
}

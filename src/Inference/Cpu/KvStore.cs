using Serving.Inference.Cpu.Kernels;

namespace Serving.Inference.Cpu;

/// <summary>
/// Keys and values of every block. Per layer: keys [block, head], then values [block, head], each as <see cref="KvHead"/> has it.
/// </summary>
internal sealed unsafe class KvStore : IDisposable
{
    /// <summary>Tokens a block: as many as lanes.</summary>
    public const int BlockTokens = Lanes.Count;

    private readonly NativeBuffer _values;
    private readonly nint _layerBytes;

    /// <param name="layers">Layers.</param>
    /// <param name="blocks">Blocks.</param>
    /// <param name="heads">Heads.</param>
    /// <param name="headStride">Values a head, a multiple of 16.</param>
    public KvStore(int layers, int blocks, int heads, int headStride)
    {
        Blocks = blocks;
        HeadBytes = KvHead.BytesOf(headStride);
        BlockBytes = heads * HeadBytes;
        _layerBytes = blocks * BlockBytes;
        _values = new NativeBuffer(2L * layers * _layerBytes);
    }

    /// <summary>How many blocks there are.</summary>
    public int Blocks { get; }

    /// <summary>Bytes from a head of a block to the next, in keys and in values.</summary>
    public nint HeadBytes { get; }

    /// <summary>Bytes from a block to the next, in keys and in values.</summary>
    public nint BlockBytes { get; }

    /// <summary>Keys of block 0.</summary>
    public byte* Keys(int layer, int head) => _values.Bytes + (2 * layer * _layerBytes) + (head * HeadBytes);

    /// <summary>Values of block 0.</summary>
    public byte* Values(int layer, int head) => Keys(layer, head) + _layerBytes;

    public void Dispose() => _values.Dispose();
}

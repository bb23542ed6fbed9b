using Serving.Inference.Cpu.Kernels;

namespace Serving.Inference.Cpu;

/// <summary>
/// Keys and values of every block. Per layer: keys [block, head, element, token], so that lanes run over the 16 tokens of a
/// block; values [block, head, token, element].
/// </summary>
internal sealed unsafe class KvStore : IDisposable
{
    /// <summary>Tokens a block: as many as lanes.</summary>
    public const int BlockTokens = Lanes.Count;

    private readonly NativeBuffer _values;
    private readonly nint _layerBytes;
    private readonly int _headStride;

    /// <param name="layers">Layers.</param>
    /// <param name="blocks">Blocks.</param>
    /// <param name="heads">Heads.</param>
    /// <param name="headStride">Values a head, a multiple of 16.</param>
    /// <param name="format">How they are stored.</param>
    public KvStore(int layers, int blocks, int heads, int headStride, KvFormat format)
    {
        (_headStride, Blocks, Format) = (headStride, blocks, format);
        HeadBytes = (nint)headStride * BlockTokens * BytesOf(format);
        BlockBytes = heads * HeadBytes;
        _layerBytes = blocks * BlockBytes;
        _values = new NativeBuffer(2L * layers * _layerBytes);
    }

    /// <summary>How many blocks there are.</summary>
    public int Blocks { get; }

    /// <summary>How keys and values are stored.</summary>
    public KvFormat Format { get; }

    /// <summary>Bytes from a head of a block to the next, in keys and in values.</summary>
    public nint HeadBytes { get; }

    /// <summary>Bytes from a block to the next, in keys and in values.</summary>
    public nint BlockBytes { get; }

    /// <summary>Bytes of a key's or a value's element.</summary>
    public static int BytesOf(KvFormat format) => format == KvFormat.BF16 ? KvBf16.Bytes : KvF32.Bytes;

    /// <summary>Keys of block 0.</summary>
    public byte* Keys(int layer, int head) => _values.Bytes + (2 * layer * _layerBytes) + (head * HeadBytes);

    /// <summary>Values of block 0.</summary>
    public byte* Values(int layer, int head) => Keys(layer, head) + _layerBytes;

    public void Dispose() => _values.Dispose();
}

namespace Serving.Inference.Cpu;

/// <summary>
/// What lets a grown model answer from its first blocks: the head of an earlier stage, and memory for the activations after these
/// blocks, one row for every place of the K/V store, from which the later blocks go on.
/// </summary>
internal sealed unsafe class EarlyExit : IDisposable
{
    private readonly CpuModel _stage;
    private readonly NativeBuffer _residuals; // [K/V blocks, tokens, stride]
    private readonly int _stride;

    /// <param name="stage">The earlier stage, whose blocks are the model's first; held until disposal.</param>
    /// <param name="kvBlocks">Blocks of the K/V store.</param>
    /// <param name="stride">Floats a row of activations.</param>
    public EarlyExit(CpuModel stage, int kvBlocks, int stride)
    {
        stage.Hold();
        (_stage, _stride) = (stage, stride);
        _residuals = NativeBuffer.OfFloats((long)kvBlocks * KvStore.BlockTokens * stride);
    }

    /// <summary>How many blocks it takes.</summary>
    public int Depth => _stage.Packed.Blocks.Length;

    /// <summary>Before its head; null = none.</summary>
    public PackedNorm? FinalNorm => _stage.Packed.FinalNorm;

    /// <summary>Its head.</summary>
    public PackedMatrix Head => _stage.Packed.Head;

    /// <summary>The activations of a token after its blocks.</summary>
    public float* Residual(int block, int slot) => _residuals.Floats + ((((long)block * KvStore.BlockTokens) + slot) * _stride);

    public void Dispose()
    {
        _residuals.Dispose();
        _stage.Release();
    }
}

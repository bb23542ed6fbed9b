using System.Buffers;
using Serving.Glyphs.Embeddings;

namespace Serving.Inference.Checkpoints;

/// <summary>Names tensors by what is in them.</summary>
public static class TensorContent
{
    private const int SliceBytes = 1 << 20;

    /// <summary>The <see cref="TensorFingerprint"/> of a tensor: of a float32 table, the table's.</summary>
    public static string FingerprintOf(Tensor tensor)
    {
        using var fingerprint = new TensorFingerprint($"{tensor.DType}", tensor.Shape);
        byte[] slice = ArrayPool<byte>.Shared.Rent(SliceBytes);
        for (long start = 0; start < tensor.Bytes; start += SliceBytes)
        {
            Span<byte> part = slice.AsSpan(0, (int)Math.Min(SliceBytes, tensor.Bytes - start));
            tensor.Read(start, part);
            fingerprint.Append(part);
        }

        ArrayPool<byte>.Shared.Return(slice);
        return fingerprint.Finish();
    }
}

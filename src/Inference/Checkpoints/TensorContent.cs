using System.Buffers;
using System.Security.Cryptography;
using System.Text;

namespace Serving.Inference.Checkpoints;

/// <summary>Names tensors by what is in them.</summary>
public static class TensorContent
{
    private const int SliceBytes = 1 << 20;

    /// <summary><c>sha256:</c> and the SHA-256 of the text <c>{type} {dimensions}\n</c>, in lower case, followed by the values: of a
    /// float32 table, its fingerprint. Equal for equal content, whatever the tensor is called.</summary>
    public static string FingerprintOf(Tensor tensor)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"{tensor.DType} {string.Join(' ', tensor.Shape)}\n".ToLowerInvariant()));
        byte[] slice = ArrayPool<byte>.Shared.Rent(SliceBytes);
        for (long start = 0; start < tensor.Bytes; start += SliceBytes)
        {
            Span<byte> part = slice.AsSpan(0, (int)Math.Min(SliceBytes, tensor.Bytes - start));
            tensor.Read(start, part);
            hash.AppendData(part);
        }

        ArrayPool<byte>.Shared.Return(slice);
        return "sha256:" + Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}

using System.Security.Cryptography;
using System.Text;

namespace Serving.Glyphs.Embeddings;

/// <summary>
/// The name of a tensor by its content: <c>sha256:</c> and the SHA-256 of the text <c>{type} {dimensions}\n</c>, such as
/// <c>f32 8192 256\n</c>, followed by the values, row-major and little-endian. Equal for equal content, whatever the tensor is called
/// and whatever file it is in, or before it is in one.
/// </summary>
public sealed class TensorFingerprint : IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    /// <summary>Of a tensor whose values are to follow.</summary>
    /// <param name="type">The element type, as safetensors files call it.</param>
    /// <param name="shape">Its dimensions, outermost first.</param>
    public TensorFingerprint(string type, IEnumerable<long> shape) =>
        _hash.AppendData(Encoding.UTF8.GetBytes($"{type} {string.Join(' ', shape)}\n".ToLowerInvariant()));

    /// <summary>The next bytes of the values.</summary>
    public void Append(ReadOnlySpan<byte> bytes) => _hash.AppendData(bytes);

    /// <summary>The fingerprint, after the last value.</summary>
    public string Finish() => "sha256:" + Convert.ToHexStringLower(_hash.GetHashAndReset());

    /// <summary>Lets go of the hash.</summary>
    public void Dispose() => _hash.Dispose();
}

using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Serving.Glyphs.Embeddings;

/// <summary>
/// Input vectors that were computed, not trained: one row a token. Immutable, so experts on the same table share one object.
/// </summary>
public sealed class FrozenTable
{
    private const int SliceFloats = 1 << 20;

    private readonly float[] _values;
    private readonly Lazy<string> _fingerprint;

    /// <summary>Takes ownership of <paramref name="values"/>, [rows, dimensions] row-major.</summary>
    public FrozenTable(int rows, int dimensions, float[] values)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(values.LongLength, (long)rows * dimensions);
        Rows = rows;
        Dimensions = dimensions;
        _values = values;
        _fingerprint = new Lazy<string>(() => FingerprintOf(rows, dimensions, values));
    }

    /// <summary>Tokens of the vocabulary.</summary>
    public int Rows { get; }

    /// <summary>Length of a vector.</summary>
    public int Dimensions { get; }

    /// <summary>
    /// <c>sha256:</c> and the SHA-256 of the text <c>f32 {rows} {dimensions}\n</c> followed by all values as little-endian
    /// float32: of the content, so that the same table has the same name whatever file it came from. Computed when first asked
    /// for, at about two gigabytes a second.
    /// </summary>
    public string Fingerprint => _fingerprint.Value;

    /// <summary>[Rows, Dimensions], row-major.</summary>
    public ReadOnlySpan<float> Values => _values;

    /// <summary>A token's vector, [Dimensions].</summary>
    public ReadOnlySpan<float> Row(int id) => _values.AsSpan(checked(id * Dimensions), Dimensions);

    private static string FingerprintOf(int rows, int dimensions, ReadOnlySpan<float> values)
    {
        if (!BitConverter.IsLittleEndian) throw new PlatformNotSupportedException("Serving runs on little-endian machines only.");
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"f32 {rows} {dimensions}\n"));
        // Slice by slice, because the bytes of a large table are more than a span can hold.
        for (; values.Length > 0; values = values[Math.Min(values.Length, SliceFloats)..])
            hash.AppendData(MemoryMarshal.AsBytes(values[..Math.Min(values.Length, SliceFloats)]));
        return "sha256:" + Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}

using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Serving.Glyphs.Embeddings;

/// <summary>A frozen embedding table: one float32 row per token, never written to again. Thread-safe.</summary>
public sealed class FrozenTable
{
    private readonly float[] _values;
    private readonly Lazy<string> _fingerprint;

    /// <summary>Takes ownership of <paramref name="values"/>.</summary>
    /// <param name="rows">Tokens.</param>
    /// <param name="dimensions">Values a row.</param>
    /// <param name="values">[rows, dimensions], row-major.</param>
    public FrozenTable(int rows, int dimensions, float[] values)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(dimensions);
        ArgumentNullException.ThrowIfNull(values);
        ArgumentOutOfRangeException.ThrowIfNotEqual(values.LongLength, (long)rows * dimensions);
        (Rows, Dimensions, _values) = (rows, dimensions, values);
        _fingerprint = new Lazy<string>(ComputeFingerprint);
    }

    /// <summary>Tokens.</summary>
    public int Rows { get; }

    /// <summary>Values a row.</summary>
    public int Dimensions { get; }

    /// <summary>All rows, row-major.</summary>
    public ReadOnlySpan<float> Values => _values;

    /// <summary><c>sha256:</c> and the SHA-256 over the text <c>f32 {rows} {dimensions}\n</c> followed by the rows as
    /// little-endian float32.</summary>
    public string Fingerprint => _fingerprint.Value;

    /// <summary>The vector of a token.</summary>
    public ReadOnlySpan<float> Row(int id) => _values.AsSpan(id * Dimensions, Dimensions);

    private string ComputeFingerprint()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"f32 {Rows} {Dimensions}\n"));
        if (!BitConverter.IsLittleEndian)
            throw new PlatformNotSupportedException("Tables are little-endian.");
        for (int row = 0; row < Rows; row++)
            hash.AppendData(MemoryMarshal.AsBytes(Row(row)));
        return $"sha256:{Convert.ToHexStringLower(hash.GetHashAndReset())}";
    }
}

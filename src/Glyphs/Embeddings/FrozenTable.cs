using System.Buffers;
using System.Runtime.InteropServices;

namespace Serving.Glyphs.Embeddings;

/// <summary>
/// Input vectors that were computed, not trained: one row a token, in float32 or in bfloat16, which takes half the memory and is
/// widened on reading. Immutable, so experts on the same table share one object.
/// </summary>
public sealed class FrozenTable
{
    private const int SliceFloats = 1 << 18;

    // One of the two is there.
    private readonly float[]? _floats;
    private readonly ushort[]? _halves;
    private readonly Lazy<string> _fingerprint;

    /// <summary>Takes ownership of <paramref name="values"/>, [rows, dimensions] row-major.</summary>
    public FrozenTable(int rows, int dimensions, float[] values)
        : this(rows, dimensions, values, null)
    {
    }

    private FrozenTable(int rows, int dimensions, float[]? floats, ushort[]? halves)
    {
        (Rows, Dimensions, _floats, _halves) = (rows, dimensions, floats, halves);
        ArgumentOutOfRangeException.ThrowIfNotEqual(floats?.LongLength ?? halves!.LongLength, Elements);
        _fingerprint = new Lazy<string>(FingerprintOfValues);
    }

    /// <summary>A table in bfloat16, the upper halves of float32; takes ownership of <paramref name="halves"/>, [rows, dimensions]
    /// row-major.</summary>
    public static FrozenTable OfBFloat16(int rows, int dimensions, ushort[] halves) => new(rows, dimensions, null, halves);

    /// <summary>Tokens of the vocabulary.</summary>
    public int Rows { get; }

    /// <summary>Length of a vector.</summary>
    public int Dimensions { get; }

    /// <summary>Values of all vectors.</summary>
    public long Elements => (long)Rows * Dimensions;

    /// <summary>The memory they take.</summary>
    public long Bytes => Elements * ElementBytes;

    /// <summary>
    /// The <see cref="TensorFingerprint"/> of its values as float32. Computed when first asked for, at about two gigabytes a second.
    /// </summary>
    public string Fingerprint => _fingerprint.Value;

    private int ElementBytes => _floats is null ? sizeof(ushort) : sizeof(float);

    /// <summary>A token's vector, [Dimensions]. A copy, if the table has to be widened: in a loop, lend it a place.</summary>
    public ReadOnlySpan<float> Row(int id) => Row(id, _floats is null ? new float[Dimensions] : []);

    /// <summary>A token's vector, [Dimensions].</summary>
    /// <param name="id">The token.</param>
    /// <param name="scratch">[Dimensions]; where the vector is, if it had to be widened.</param>
    public ReadOnlySpan<float> Row(int id, Span<float> scratch)
    {
        if (_floats is not null)
            return _floats.AsSpan(Start(id), Dimensions);
        CopyRow(id, scratch);
        return scratch[..Dimensions];
    }

    /// <summary>Copies a token's vector to the front of <paramref name="target"/>.</summary>
    public void CopyRow(int id, Span<float> target)
    {
        if (_floats is null)
            BFloat16.Widen(_halves.AsSpan(Start(id), Dimensions), target);
        else
            _floats.AsSpan(Start(id), Dimensions).CopyTo(target);
    }

    /// <summary>A token's vector as it is stored: equal for rows that are equal bit by bit.</summary>
    public ReadOnlySpan<byte> RowBytes(int id) => _floats is null
        ? MemoryMarshal.AsBytes(_halves.AsSpan(Start(id), Dimensions))
        : MemoryMarshal.AsBytes(_floats.AsSpan(Start(id), Dimensions));

    /// <summary>Whether another table is of the same size and precision and holds the same bits.</summary>
    public bool HasBitsOf(FrozenTable other) => (Rows, Dimensions, ElementBytes) == (other.Rows, other.Dimensions, other.ElementBytes)
        && (_floats is null
            ? _halves.AsSpan().SequenceEqual(other._halves)
            : MemoryMarshal.Cast<float, int>(_floats.AsSpan()).SequenceEqual(MemoryMarshal.Cast<float, int>(other._floats.AsSpan())));

    /// <summary>The length of a token's vector.</summary>
    public double Norm(int id)
    {
        double sum = 0;
        if (_floats is null)
        {
            foreach (ushort half in _halves.AsSpan(Start(id), Dimensions)) sum += Square(BFloat16.Widen(half));
        }
        else
        {
            foreach (float value in _floats.AsSpan(Start(id), Dimensions)) sum += Square(value);
        }

        return Math.Sqrt(sum);
    }

    /// <summary>All values as float32, little-endian, slice by slice: the bytes of a large table are more than a span can hold.</summary>
    public void WriteFloats(Stream output) => ForEachSlice(output.Write);

    private static double Square(double value) => value * value;

    private int Start(int id) => checked(id * Dimensions);

    private string FingerprintOfValues()
    {
        using var fingerprint = new TensorFingerprint("f32", [Rows, Dimensions]);
        ForEachSlice(fingerprint.Append);
        return fingerprint.Finish();
    }

    private void ForEachSlice(Action<ReadOnlySpan<byte>> use)
    {
        if (!BitConverter.IsLittleEndian) throw new PlatformNotSupportedException("Serving runs on little-endian machines only.");
        float[] rented = ArrayPool<float>.Shared.Rent(_floats is null ? SliceFloats : 0);
        for (long start = 0; start < Elements; start += SliceFloats)
        {
            int length = (int)Math.Min(SliceFloats, Elements - start);
            if (_floats is null)
                BFloat16.Widen(_halves.AsSpan((int)start, length), rented);
            use(MemoryMarshal.AsBytes(_floats is null ? rented.AsSpan(0, length) : _floats.AsSpan((int)start, length)));
        }

        ArrayPool<float>.Shared.Return(rented);
    }
}

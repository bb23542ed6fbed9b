using Serving.Inference.Checkpoints;

namespace Serving.Inference.Cpu;

/// <summary>
/// Cosines and sines of rotary positions: position p turns pair i by p · 10000^(-2i/D), computed in float32 as the models'
/// own code does. Heads are packed with the first elements of all pairs in the lower half and the second ones in the upper,
/// so that one kernel serves every <see cref="RopePairing"/>.
/// </summary>
/// <remarks>Only positions that were reached are computed: a context may be far longer than any text that comes. Thread-safe.</remarks>
internal sealed unsafe class RotaryTable : IDisposable
{
    private const int PositionsAtOnce = 256;

    private readonly Lock _lock = new();
    private readonly NativeBuffer _values;
    private readonly int _positions;
    private readonly float[] _frequencies; // [head size], as packed
    private int _reached;

    public RotaryTable(int positions, int headSize, RopePairing pairing)
    {
        _positions = positions;
        _values = new NativeBuffer(BytesOf(positions, headSize));
        _frequencies = new float[headSize];
        for (int i = 0; i < headSize; i++)
            _frequencies[i] = 1 / (float)Math.Pow(10000, 2 * AngleOf(i, headSize, pairing) / (float)headSize);
    }

    /// <summary>Bytes that it takes when the last position has been reached.</summary>
    public static long BytesOf(long positions, long headSize) => 2 * positions * headSize * sizeof(float);

    /// <summary>Computes what is missing of the first <paramref name="positions"/>.</summary>
    public void Reach(int positions)
    {
        if (positions <= Volatile.Read(ref _reached))
            return;
        lock (_lock)
        {
            int end = (int)Math.Min(_positions, (long)positions + PositionsAtOnce);
            for (int position = _reached; position < end; position++)
                Compute(position);
            Volatile.Write(ref _reached, Math.Max(end, _reached));
        }
    }

    /// <summary>[head size], of a position that was reached.</summary>
    public float* Cosines(int position) => _values.Floats + (2L * position * _frequencies.Length);

    /// <summary>[head size], of a position that was reached.</summary>
    public float* Sines(int position) => Cosines(position) + _frequencies.Length;

    /// <summary>Which element of a head as stored becomes element <paramref name="packed"/> of the packed one.</summary>
    public static int StoredElement(int packed, int headSize, RopePairing pairing)
    {
        if (pairing == RopePairing.Half)
            return packed;
        int half = headSize / 2;
        return packed < half ? 2 * packed : (2 * (packed - half)) + 1;
    }

    public void Dispose() => _values.Dispose();

    private void Compute(int position)
    {
        for (int i = 0; i < _frequencies.Length; i++)
        {
            (double sine, double cosine) = Math.SinCos(position * _frequencies[i]);
            Cosines(position)[i] = (float)cosine;
            Sines(position)[i] = (float)sine;
        }
    }

    private static int AngleOf(int packed, int headSize, RopePairing pairing) =>
        (pairing == RopePairing.Hybrid ? StoredElement(packed, headSize, pairing) : packed) % (headSize / 2);
}

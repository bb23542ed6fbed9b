using Serving.Inference.Checkpoints;

namespace Serving.Inference.Cpu;

/// <summary>
/// Cosines and sines of rotary positions: position p turns pair i by p · 10000^(-2i/D), computed in float32 as the models'
/// own code does. Heads are packed with the first elements of all pairs in the lower half and the second ones in the upper,
/// so that one kernel serves every <see cref="RopePairing"/>.
/// </summary>
internal sealed unsafe class RotaryTable : IDisposable
{
    private readonly NativeBuffer _values;
    private readonly int _headSize;

    public RotaryTable(int positions, int headSize, RopePairing pairing)
    {
        _headSize = headSize;
        _values = NativeBuffer.OfFloats(2L * positions * headSize);
        var frequencies = new float[headSize / 2];
        for (int i = 0; i < frequencies.Length; i++)
            frequencies[i] = 1 / (float)Math.Pow(10000, 2 * i / (float)headSize);
        for (int position = 0; position < positions; position++)
        {
            for (int i = 0; i < headSize; i++)
            {
                float angle = position * frequencies[AngleOf(i, headSize, pairing)];
                (double sine, double cosine) = Math.SinCos(angle);
                Cosines(position)[i] = (float)cosine;
                Sines(position)[i] = (float)sine;
            }
        }
    }

    /// <summary>[head size].</summary>
    public float* Cosines(int position) => _values.Floats + (2L * position * _headSize);

    /// <summary>[head size].</summary>
    public float* Sines(int position) => Cosines(position) + _headSize;

    /// <summary>Which element of a head as stored becomes element <paramref name="packed"/> of the packed one.</summary>
    public static int StoredElement(int packed, int headSize, RopePairing pairing)
    {
        if (pairing == RopePairing.Half)
            return packed;
        int half = headSize / 2;
        return packed < half ? 2 * packed : (2 * (packed - half)) + 1;
    }

    public void Dispose() => _values.Dispose();

    private static int AngleOf(int packed, int headSize, RopePairing pairing) =>
        (pairing == RopePairing.Hybrid ? StoredElement(packed, headSize, pairing) : packed) % (headSize / 2);
}

using static Serving.Glyphs.Embeddings.VectorMath;

namespace Serving.Glyphs.Embeddings;

/// <summary>
/// The way from vectors back to pictures. A row is e = D (b - μ) / s: the picture's bits b without their mean μ, on the principal
/// directions D, scaled to length 1 by s. So b ≈ μ + s Dᵀe, exactly where D keeps all directions in which pictures differ.
/// </summary>
/// <remarks>
/// D is not stored with tables, and would not have to be: it is what the table and the pictures say together. Because all
/// (b - μ) on one direction have no correlation with those on another, D's row k is along Σ s e[k] (b - μ) over all tokens. Where
/// every direction is kept, s = |b - μ|; where not, s = |D (b - μ)|, found by going around a few times from there. Immutable.
/// </remarks>
public sealed class GlyphProjection
{
    private const int MostRounds = 16;

    /// <summary>Rounds end when no length changes by more than this share of the longest: a hundredth of a pixel's grey.</summary>
    private const float Settled = 2e-4f;

    private readonly float[] _mean; // [bits]
    private readonly float[][] _directions; // [dimensions][bits], of length 1, or 0 where no picture differs

    private GlyphProjection(float[] mean, float[][] directions) => (_mean, _directions) = (mean, directions);

    /// <summary>Length of a vector.</summary>
    public int Dimensions => _directions.Length;

    /// <summary>Finds the directions of a table that was made of pictures.</summary>
    /// <param name="table">[tokens, dimensions]</param>
    /// <param name="bits">[tokens, bits] the pictures that it was made of.</param>
    public static GlyphProjection Recover(FrozenTable table, BitMatrix bits)
    {
        float[] mean = MeanOf(bits);
        float[] lengths = LengthsOf(bits, mean);
        for (int round = 1; ; round++)
        {
            float[][] byBit = Accumulate(table, bits, mean, lengths);
            Normalize(byBit, table.Dimensions);
            if (table.Dimensions == bits.Columns || round == MostRounds || !Remeasure(byBit, bits, mean, lengths))
                return new GlyphProjection(mean, Transpose(byBit, table.Dimensions));
        }
    }

    /// <summary>The length of a picture's projection: what scaling a row to length 1 made the vector forget.</summary>
    /// <param name="bits">The picture's bits, [bits / 8].</param>
    public float LengthOf(ReadOnlySpan<byte> bits)
    {
        float[] centred = Centred(bits);
        return MathF.Sqrt(_directions.Sum(direction => MathF.Pow(Dot(direction, centred), 2)));
    }

    /// <summary>The picture that the first components of a vector hold: μ + length Dᵀe, [bits], 0 is paper and 1 is ink.</summary>
    public float[] Rebuild(ReadOnlySpan<float> vector, float length, int components)
    {
        float[] picture = [.. _mean];
        for (int k = 0; k < components; k++) AddScaled(picture, _directions[k], length * vector[k]);
        return picture;
    }

    /// <summary>[dimensions + 1] mean squared error a pixel when only the first 0, 1, 2, … components are kept.</summary>
    /// <param name="vector">The vector.</param>
    /// <param name="length">What it was divided by.</param>
    /// <param name="bits">The picture that it was made of.</param>
    public float[] ErrorsOf(ReadOnlySpan<float> vector, float length, ReadOnlySpan<byte> bits)
    {
        float[] rest = Centred(bits);
        var errors = new float[Dimensions + 1];
        errors[0] = Dot(rest, rest) / rest.Length;
        for (int k = 0; k < Dimensions; k++)
        {
            AddScaled(rest, _directions[k], -length * vector[k]);
            errors[k + 1] = Dot(rest, rest) / rest.Length;
        }

        return errors;
    }

    private float[] Centred(ReadOnlySpan<byte> bits)
    {
        var centred = new float[_mean.Length];
        for (int bit = 0; bit < centred.Length; bit++) centred[bit] = (bits[bit >> 3] >> (7 - (bit & 7)) & 1) - _mean[bit];
        return centred;
    }

    private static float[] MeanOf(BitMatrix bits)
    {
        var counts = new int[bits.Columns];
        var ones = new int[bits.Columns];
        for (int row = 0; row < bits.Rows; row++)
            foreach (int bit in ones.AsSpan(0, bits.OnesOf(row, ones))) counts[bit]++;
        return [.. counts.Select(count => (float)((double)count / bits.Rows))];
    }

    private static float[] LengthsOf(BitMatrix bits, float[] mean)
    {
        double paper = mean.Sum(value => (double)value * value);
        var lengths = new float[bits.Rows];
        Parallel.For(0, bits.Rows, () => new int[bits.Columns], (row, _, ones) =>
        {
            double square = paper;
            foreach (int bit in ones.AsSpan(0, bits.OnesOf(row, ones))) square += 1 - (2.0 * mean[bit]);
            lengths[row] = (float)Math.Sqrt(square);
            return ones;
        }, _ => { });
        return lengths;
    }

    /// <summary>Σ length e (b - μ) over all tokens, [bits][dimensions].</summary>
    private static float[][] Accumulate(FrozenTable table, BitMatrix bits, float[] mean, float[] lengths)
    {
        var total = new float[table.Dimensions];
        var scratch = new float[table.Dimensions];
        for (int row = 0; row < bits.Rows; row++) AddScaled(total, table.Row(row, scratch), lengths[row]);
        var byBit = new float[bits.Columns][];
        // Eight bits a piece of work: one byte of every row, so that nobody writes to the same sums.
        Parallel.For(0, bits.Columns / 8, column =>
        {
            for (int bit = 8 * column; bit < 8 * (column + 1); bit++)
            {
                byBit[bit] = new float[table.Dimensions];
                AddScaled(byBit[bit], total, -mean[bit]);
            }

            for (int row = 0; row < bits.Rows; row++)
            {
                int ink = bits.Row(row)[column];
                for (int bit = 0; ink != 0; bit++, ink = (ink << 1) & 0xFF)
                    if ((ink & 0x80) != 0) AddScaled(byBit[(8 * column) + bit], table.Row(row), lengths[row]);
            }
        });
        return byBit;
    }

    /// <summary>Scales each direction, a column, to length 1; one that carries next to nothing is left out.</summary>
    private static void Normalize(float[][] byBit, int dimensions)
    {
        var squares = new double[dimensions];
        foreach (float[] row in byBit)
            for (int k = 0; k < dimensions; k++) squares[k] += (double)row[k] * row[k];
        double least = squares.Max() * 1e-12;
        float[] scales = [.. squares.Select(square => square > least ? (float)(1 / Math.Sqrt(square)) : 0)];
        foreach (float[] row in byBit)
            for (int k = 0; k < dimensions; k++) row[k] *= scales[k];
    }

    /// <summary>Measures every picture's projection; says whether a length changed noticeably.</summary>
    private static bool Remeasure(float[][] byBit, BitMatrix bits, float[] mean, float[] lengths)
    {
        int dimensions = byBit[0].Length;
        var centre = new float[dimensions];
        for (int bit = 0; bit < byBit.Length; bit++) AddScaled(centre, byBit[bit], -mean[bit]);
        float longest = lengths.Max();
        int changed = 0;
        Parallel.For(0, bits.Rows, () => (Sum: new float[dimensions], Ones: new int[bits.Columns]), (row, _, scratch) =>
        {
            centre.CopyTo(scratch.Sum.AsSpan());
            foreach (int bit in scratch.Ones.AsSpan(0, bits.OnesOf(row, scratch.Ones))) AddScaled(scratch.Sum, byBit[bit], 1);
            float length = MathF.Sqrt(Dot(scratch.Sum, scratch.Sum));
            if (MathF.Abs(length - lengths[row]) > Settled * longest) Interlocked.Increment(ref changed);
            lengths[row] = length;
            return scratch;
        }, _ => { });
        return changed > 0;
    }

    private static float[][] Transpose(float[][] byBit, int dimensions)
    {
        var directions = new float[dimensions][];
        for (int k = 0; k < dimensions; k++) directions[k] = [.. byBit.Select(row => row[k])];
        return directions;
    }
}

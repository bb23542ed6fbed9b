using System.Numerics;

namespace Serving.Glyphs.Embeddings;

/// <summary>The principal components of rows of bits: their mean, the directions of greatest variance, the variances.</summary>
/// <param name="Mean">[bits] mean of every bit.</param>
/// <param name="Directions">[components][bits] orthonormal, by falling variance; each direction's largest loading is positive.</param>
/// <param name="ExplainedVariance">[components] sample variance (n - 1) along each direction.</param>
public sealed record PrincipalComponents(double[] Mean, double[][] Directions, double[] ExplainedVariance)
{
    /// <summary>Columns whose common ones are counted together, so that the others pass by once for all of them.</summary>
    private const int ColumnsAtOnce = 16;

    /// <summary>
    /// Computes them. Variances of bits are counts, so the covariance is exact and the result the same bytes on every
    /// machine and for any number of threads. Beside the bits it takes their transpose and 8 bytes for every two bits of a row.
    /// </summary>
    /// <param name="bits">[tokens, bits], at least two rows.</param>
    /// <param name="components">How many to keep, 1 to bits.</param>
    /// <param name="progress">Told how many steps are done, of how many.</param>
    public static PrincipalComponents Of(BitMatrix bits, int components, IProgress<(long Done, long Total)>? progress = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bits.Rows, 2);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(components, bits.Columns);
        long steps = 0;
        (double[] mean, double[][] covariance) = Covariance(bits, Step);
        double[] variances = SymmetricEigen.Decompose(covariance, Step);

        double[][] directions = covariance[..components];
        foreach (double[] direction in directions) MakeLargestLoadingPositive(direction);
        // Rounding may leave a direction without variance a hair below zero.
        return new(mean, directions, [.. variances.Take(components).Select(variance => Math.Max(variance, 0))]);

        void Step() => progress?.Report((Interlocked.Increment(ref steps), 4 * bits.Columns));
    }

    // The lower triangle is all that is filled, and needed.
    private static (double[] Mean, double[][] Covariance) Covariance(BitMatrix bits, Action step)
    {
        ulong[][] columns = bits.Transposed();
        long[] ones = [.. columns.Select(Count)];
        var covariance = new double[columns.Length][];
        double denominator = (double)bits.Rows * (bits.Rows - 1);
        Parallel.For(0, (columns.Length + ColumnsAtOnce - 1) / ColumnsAtOnce, block =>
        {
            int first = block * ColumnsAtOnce, end = Math.Min(first + ColumnsAtOnce, columns.Length);
            for (int i = first; i < end; i++) covariance[i] = new double[columns.Length];
            for (int j = 0; j < end; j++)
            {
                for (int i = Math.Max(first, j); i < end; i++)
                    covariance[i][j] = ((long)bits.Rows * CountBoth(columns[i], columns[j]) - ones[i] * ones[j]) / denominator;
            }

            for (int i = first; i < end; i++) step();
        });
        return ([.. ones.Select(count => (double)count / bits.Rows)], covariance);
    }

    private static long Count(ulong[] column) => CountBoth(column, column);

    private static long CountBoth(ulong[] a, ulong[] b)
    {
        long count = 0;
        for (int i = 0; i < a.Length; i++) count += BitOperations.PopCount(a[i] & b[i]);
        return count;
    }

    private static void MakeLargestLoadingPositive(double[] direction)
    {
        double largest = direction.MaxBy(Math.Abs);
        for (int i = 0; largest < 0 && i < direction.Length; i++) direction[i] = -direction[i];
    }
}

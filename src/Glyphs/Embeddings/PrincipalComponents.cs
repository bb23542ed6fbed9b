using System.Numerics;

namespace Serving.Glyphs.Embeddings;

/// <summary>The principal components of rows of bits: their mean, the directions of greatest variance, the variances.</summary>
/// <param name="Mean">[bits] mean of every bit.</param>
/// <param name="Directions">[components][bits] orthonormal, by falling variance; each direction's largest loading is positive.</param>
/// <param name="ExplainedVariance">[components] sample variance (n - 1) along each direction.</param>
public sealed record PrincipalComponents(double[] Mean, double[][] Directions, double[] ExplainedVariance)
{
    /// <summary>
    /// Computes them. Variances of bits are counts, so the covariance is exact and the result the same bytes on every
    /// machine and for any number of threads.
    /// </summary>
    /// <param name="bits">[tokens, bits], at least two rows.</param>
    /// <param name="components">How many to keep, 1 to bits.</param>
    public static PrincipalComponents Of(BitMatrix bits, int components)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bits.Rows, 2);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(components, bits.Columns);
        ulong[][] columns = bits.Transposed();
        long[] ones = [.. columns.Select(Count)];
        double[][] covariance = Covariance(columns, ones, bits.Rows);
        double[] variances = SymmetricEigen.Decompose(covariance);

        double[][] directions = covariance[..components];
        foreach (double[] direction in directions) MakeLargestLoadingPositive(direction);
        double[] mean = [.. ones.Select(count => (double)count / bits.Rows)];
        // Rounding may leave a direction without variance a hair below zero.
        return new(mean, directions, [.. variances.Take(components).Select(variance => Math.Max(variance, 0))]);
    }

    private static double[][] Covariance(ulong[][] columns, long[] ones, int rows)
    {
        var covariance = new double[columns.Length][];
        double denominator = (double)rows * (rows - 1);
        Parallel.For(0, columns.Length, i =>
        {
            covariance[i] = new double[columns.Length];
            for (int j = 0; j <= i; j++)
                covariance[i][j] = ((long)rows * CountBoth(columns[i], columns[j]) - ones[i] * ones[j]) / denominator;
        });
        return covariance;
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

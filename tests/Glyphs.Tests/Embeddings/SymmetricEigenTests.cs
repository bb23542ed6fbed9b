using Serving.Glyphs.Embeddings;

namespace Serving.Glyphs.Tests.Embeddings;

public class SymmetricEigenTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(7, 3)]
    [InlineData(40, 40)]
    [InlineData(61, 9)]
    public void Decompose_GramMatrixOfAnyRank_IsRebuiltFromOrthonormalVectors(int n, int rank)
    {
        double[][] matrix = GramMatrix(n, rank, new Random(n));
        double[][] vectors = [.. matrix.Select(row => (double[])row.Clone())];

        double[] values = SymmetricEigen.Decompose(vectors);

        Assert.Equal(values.OrderDescending(), values);
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < n; j++)
            {
                Assert.Equal(i == j ? 1 : 0, Sum(n, k => vectors[i][k] * vectors[j][k]), 1e-12);
                Assert.Equal(matrix[i][j], Sum(n, k => values[k] * vectors[k][i] * vectors[k][j]), 1e-11 * n);
            }
        }
    }

    [Fact]
    public void Decompose_DiagonalMatrix_SortsIt()
    {
        double[][] matrix = [[1, 0, 0], [0, 3, 0], [0, 0, 2]];

        Assert.Equal([3, 2, 1], SymmetricEigen.Decompose(matrix));
        Assert.Equal([0, 1, 0], matrix[0]);
    }

    // Sizes on either side of what threads and lanes take at once.
    [Theory]
    [InlineData(15, 15)]
    [InlineData(65, 65)]
    [InlineData(257, 200)]
    [InlineData(330, 330)]
    public void Decompose_OnAllThreads_GivesTheBitsOfOneStepAfterTheOther(int n, int rank)
    {
        double[][] vectors = GramMatrix(n, rank, new Random(n)), expected = [.. vectors.Select(row => (double[])row.Clone())];
        int steps = 0;

        double[] values = SymmetricEigen.Decompose(vectors, () => Interlocked.Increment(ref steps));

        Assert.Equal(Bits(SequentialEigen.Decompose(expected)), Bits(values));
        for (int i = 0; i < n; i++) Assert.Equal(Bits(expected[i]), Bits(vectors[i]));
        Assert.Equal(3 * n, steps);
    }

    [Fact]
    public void Apply_MoreRotationsThanAreKept_EqualsOneAfterTheOther()
    {
        const int Rows = 5, Columns = 37, Rotations = 300_000;
        var random = new Random(5);
        double[][] rows = [.. Enumerable.Range(0, Rows).Select(_ => Enumerable.Range(0, Columns).Select(_ => random.NextDouble()).ToArray())];
        double[][] expected = [.. rows.Select(row => (double[])row.Clone())];
        var rotations = new RowRotations(rows);

        for (int i = 0; i < Rotations; i++)
        {
            (int row, (double sine, double cosine)) = (random.Next(Rows - 1), Math.SinCos(random.NextDouble()));
            rotations.Add(row, cosine, sine);
            for (int k = 0; k < Columns; k++)
                (expected[row][k], expected[row + 1][k]) = (cosine * expected[row][k] - sine * expected[row + 1][k], sine * expected[row][k] + cosine * expected[row + 1][k]);
        }

        rotations.Apply();
        for (int i = 0; i < Rows; i++) Assert.Equal(Bits(expected[i]), Bits(rows[i]));
    }

    private static long[] Bits(double[] values) => Array.ConvertAll(values, BitConverter.DoubleToInt64Bits);

    private static double[][] GramMatrix(int n, int rank, Random random)
    {
        double[][] factors = [.. Enumerable.Range(0, n).Select(_ => Enumerable.Range(0, rank).Select(_ => random.NextDouble() - 0.5).ToArray())];
        return [.. factors.Select(a => factors.Select(b => Sum(rank, k => a[k] * b[k])).ToArray())];
    }

    private static double Sum(int n, Func<int, double> term) => Enumerable.Range(0, n).Sum(term);
}

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

    private static double[][] GramMatrix(int n, int rank, Random random)
    {
        double[][] factors = [.. Enumerable.Range(0, n).Select(_ => Enumerable.Range(0, rank).Select(_ => random.NextDouble() - 0.5).ToArray())];
        return [.. factors.Select(a => factors.Select(b => Sum(rank, k => a[k] * b[k])).ToArray())];
    }

    private static double Sum(int n, Func<int, double> term) => Enumerable.Range(0, n).Sum(term);
}

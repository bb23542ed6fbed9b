namespace Serving.Glyphs.Embeddings;

/// <summary>Rows of a table as points of a plane: their first two principal coordinates, in which they differ most.</summary>
/// <param name="Points">[rows] in their order.</param>
/// <param name="Shares">Of the rows' whole variance, how much each of the two coordinates shows; 0 to 1.</param>
public sealed record PrincipalMap(IReadOnlyList<(float X, float Y)> Points, (double X, double Y) Shares)
{
    /// <summary>The most rows of a map.</summary>
    public const int MostRows = 512;

    /// <summary>Computes it from the rows' products with each other, whose eigenvectors are the coordinates. The greatest
    /// coordinate by size is positive, so that the same rows always look the same.</summary>
    /// <param name="table">The table.</param>
    /// <param name="rows">2 to <see cref="MostRows"/> of its rows.</param>
    public static PrincipalMap Of(FrozenTable table, IReadOnlyList<int> rows)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rows.Count, 2);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows.Count, MostRows);
        double[][] products = Products(Centred(table, rows));
        double variance = products.Select((row, i) => row[i]).Sum();
        double[] values = SymmetricEigen.Decompose(products);
        (double X, double Y) scales = (Math.Sqrt(Math.Max(values[0], 0)), Math.Sqrt(Math.Max(values[1], 0)));
        (double flipX, double flipY) = (Sign(products[0]), Sign(products[1]));
        return new PrincipalMap(
            [.. rows.Select((_, i) => ((float)(products[0][i] * scales.X * flipX), (float)(products[1][i] * scales.Y * flipY)))],
            variance > 0 ? (Math.Max(values[0], 0) / variance, Math.Max(values[1], 0) / variance) : (0, 0));
    }

    private static double[][] Centred(FrozenTable table, IReadOnlyList<int> rows)
    {
        double[][] vectors = [.. rows.Select(row => Array.ConvertAll(table.Row(row).ToArray(), value => (double)value))];
        var mean = new double[table.Dimensions];
        foreach (double[] vector in vectors)
            for (int k = 0; k < mean.Length; k++) mean[k] += vector[k] / rows.Count;
        foreach (double[] vector in vectors)
            for (int k = 0; k < mean.Length; k++) vector[k] -= mean[k];
        return vectors;
    }

    private static double[][] Products(double[][] vectors)
    {
        double[][] products = [.. vectors.Select(_ => new double[vectors.Length])];
        Parallel.For(0, vectors.Length, i =>
        {
            for (int j = 0; j < vectors.Length; j++)
            {
                double sum = 0;
                for (int k = 0; k < vectors[i].Length; k++) sum += vectors[i][k] * vectors[j][k];
                products[i][j] = sum;
            }
        });
        return products;
    }

    private static double Sign(double[] coordinates) => coordinates.MaxBy(Math.Abs) < 0 ? -1 : 1;
}

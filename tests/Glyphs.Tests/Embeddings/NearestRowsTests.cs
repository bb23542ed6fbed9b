using Serving.Glyphs.Embeddings;

namespace Serving.Glyphs.Tests.Embeddings;

public class NearestRowsTests
{
    // Widths around the vectors' and counts of rows around the pieces of work.
    [Theory]
    [InlineData(1, 16)]
    [InlineData(2, 3)]
    [InlineData(37, 16)]
    [InlineData(2049, 40)]
    [InlineData(4103, 256)]
    public void Of_AnyShape_EqualsTheScalarTwin(int rows, int dimensions)
    {
        FrozenTable table = RandomTable(rows, dimensions);
        int[] queries = [.. Enumerable.Range(0, Math.Min(rows, 9)).Select(i => i * (rows - 1) / 8), rows - 1];

        Neighbor[][] nearest = new NearestRows(table).Of(queries, 12);

        for (int i = 0; i < queries.Length; i++)
        {
            (int Id, double Cosine)[] expected = Scalar(table, queries[i], 12);
            Assert.Equal(expected.Length, nearest[i].Length);
            for (int k = 0; k < expected.Length; k++) Assert.Equal(expected[k].Cosine, nearest[i][k].Cosine, 1e-6);
            // Cosines that are equal to rounding may change places; all others may not.
            Assert.All(nearest[i], one => Assert.Equal(ScalarCosine(table, queries[i], one.Id), one.Cosine, 1e-6));
            Assert.Equal(nearest[i].Length, nearest[i].Select(one => one.Id).Distinct().Count());
        }
    }

    [Fact]
    public void Of_ManyQueriesAtOnce_GivesTheBitsOfEachAlone()
    {
        var nearest = new NearestRows(RandomTable(5000, 48));
        int[] queries = [.. Enumerable.Range(0, 40).Select(i => 101 * i)];

        Neighbor[][] together = nearest.Of(queries, 10);

        for (int i = 0; i < queries.Length; i++) Assert.Equal(nearest.Of([queries[i]], 10)[0], together[i]);
    }

    [Fact]
    public void Of_RowsThatBfloat16CannotTellApart_AreInTheirTrueOrder()
    {
        // Row i leans a little more to the second axis than row i - 1; the query lies on the first.
        const int Rows = 3000, Dimensions = 32;
        var values = new float[Rows * Dimensions];
        for (int row = 0; row < Rows; row++) (values[row * Dimensions], values[(row * Dimensions) + 1]) = (1, 0.5f + (row * 1e-5f));
        values[(Rows - 1) * Dimensions + 1] = 0;
        Neighbor[] nearest = new NearestRows(new FrozenTable(Rows, Dimensions, values)).Of([Rows - 1], 20)[0];
        Assert.Equal(Enumerable.Range(0, 20), nearest.Select(one => one.Id));
    }

    [Fact]
    public void Of_EqualRows_AreOrderedById()
    {
        float[] values = new float[6000 * 16];
        for (int row = 0; row < 6000; row++) values[(row * 16) + (row % 3)] = 1;
        Neighbor[] nearest = new NearestRows(new FrozenTable(6000, 16, values)).Of([4], 5)[0];
        Assert.Equal([1, 7, 10, 13, 16], nearest.Select(one => one.Id));
        Assert.All(nearest, one => Assert.Equal(1, one.Cosine));
    }

    [Fact]
    public void Of_RowOfZeros_HasCosineZeroWithAll()
    {
        FrozenTable table = new(3, 16, [.. new float[16], .. Enumerable.Repeat(1f, 16), .. Enumerable.Repeat(-1f, 16)]);
        var nearest = new NearestRows(table);
        Assert.Equal([new Neighbor(1, 0), new Neighbor(2, 0)], nearest.Of([0], 9)[0]);
        Assert.Equal([new Neighbor(0, 0), new Neighbor(2, -1)], nearest.Of([1], 9)[0]);
        Assert.Equal(-1, nearest.Cosine(1, 2));
    }

    private static FrozenTable RandomTable(int rows, int dimensions)
    {
        var random = new Random(5);
        return new FrozenTable(rows, dimensions, [.. Enumerable.Range(0, rows * dimensions).Select(_ => (float)(random.NextDouble() - 0.4))]);
    }

    private static (int Id, double Cosine)[] Scalar(FrozenTable table, int query, int count) =>
        [.. Enumerable.Range(0, table.Rows).Where(row => row != query).Select(row => (row, ScalarCosine(table, query, row)))
            .OrderByDescending(pair => pair.Item2).ThenBy(pair => pair.row).Take(count)];

    private static double ScalarCosine(FrozenTable table, int a, int b)
    {
        (double ab, double aa, double bb) = (0, 0, 0);
        for (int k = 0; k < table.Dimensions; k++)
        {
            ab += (double)table.Row(a)[k] * table.Row(b)[k];
            aa += (double)table.Row(a)[k] * table.Row(a)[k];
            bb += (double)table.Row(b)[k] * table.Row(b)[k];
        }

        return ab / Math.Sqrt(aa * bb);
    }
}

using Serving.Glyphs.Embeddings;

namespace Serving.Glyphs.Tests.Embeddings;

public class PrincipalMapTests
{
    [Fact]
    public void Of_PointsOfAPlane_KeepsTheirDistances()
    {
        // A rectangle, turned into three dimensions: the plane must show it whole.
        FrozenTable table = new(5, 3, [0, 0, 0, 4, 4, 0, -1, 1, 3, 3, 5, 3, 9, 9, 9]);
        int[] rows = [0, 1, 2, 3];
        PrincipalMap map = PrincipalMap.Of(table, rows);
        for (int a = 0; a < 4; a++)
        {
            for (int b = 0; b < a; b++) Assert.Equal(Distance(table, rows[a], rows[b]), Distance(map, a, b), 1e-5);
        }

        Assert.Equal(1, map.Shares.X + map.Shares.Y, 1e-9);
        Assert.True(map.Shares.X > map.Shares.Y);
    }

    [Fact]
    public void Of_EqualRows_AreOnePoint()
    {
        PrincipalMap map = PrincipalMap.Of(new FrozenTable(3, 2, [1, 2, 1, 2, 1, 2]), [0, 1, 2]);
        Assert.All(map.Points, point => Assert.Equal((0f, 0f), point));
        Assert.Equal((0d, 0d), map.Shares);
    }

    private static double Distance(FrozenTable table, int a, int b) =>
        Math.Sqrt(Enumerable.Range(0, 3).Sum(k => Math.Pow(table.Row(a)[k] - table.Row(b)[k], 2)));

    private static double Distance(PrincipalMap map, int a, int b) =>
        Math.Sqrt(Math.Pow(map.Points[a].X - map.Points[b].X, 2) + Math.Pow(map.Points[a].Y - map.Points[b].Y, 2));
}

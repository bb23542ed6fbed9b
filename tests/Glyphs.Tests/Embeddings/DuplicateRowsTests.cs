using Serving.Glyphs.Embeddings;

namespace Serving.Glyphs.Tests.Embeddings;

public class DuplicateRowsTests
{
    [Fact]
    public void Of_EqualRows_AreFoundAndOthersAreNot()
    {
        var rows = new DuplicateRows(new FrozenTable(6, 2, [1, 2, 3, 4, 1, 2, 5, 6, 1, 2, 3, 4]));
        Assert.Equal([2, 4], rows.Of(0));
        Assert.Equal([0, 4], rows.Of(2));
        Assert.Equal([5], rows.Of(1));
        Assert.Empty(rows.Of(3));
        Assert.Equal(3, rows.Count);
    }

    [Fact]
    public void Of_OtherBytesOfEqualNumbers_AreOtherRows() =>
        Assert.Equal(0, new DuplicateRows(new FrozenTable(2, 1, [0f, -0f])).Count);
}

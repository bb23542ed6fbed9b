using Serving.Glyphs.Embeddings;

namespace Serving.Glyphs.Tests.Embeddings;

public class MersenneTwisterTests
{
    [Fact]
    public void NextDouble_Seed42_IsNumPysRand()
    {
        var random = new MersenneTwister(42);

        // numpy.random.seed(42); numpy.random.rand(3)
        Assert.Equal([0.3745401188473625, 0.9507143064099162, 0.7319939418114051], Enumerable.Range(0, 3).Select(_ => random.NextDouble()));
    }
}

using Serving.Inference.Sampling;

namespace Serving.Inference.Tests.Sampling;

public class PhiloxTests
{
    /// <summary>The known answers of Random123's kat_vectors for philox4x32-10.</summary>
    [Theory]
    [InlineData(0UL, 0UL, 0UL, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)]
    [InlineData(ulong.MaxValue, ulong.MaxValue, ulong.MaxValue, 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu)]
    [InlineData(0x299f31d0a4093822UL, 0x85a308d3243f6a88UL, 0x0370734413198a2eUL, 0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u)]
    public void Block_KnownCounters_GivesThePublishedBits(ulong key, ulong low, ulong high, uint x0, uint x1, uint x2, uint x3) =>
        Assert.Equal((x0, x1, x2, x3), Philox.Block(key, low, high));

    [Fact]
    public void NextDouble_ManyPlaces_LieInTheUnitIntervalAndDiffer()
    {
        double[] draws = [.. Enumerable.Range(0, 1000).Select(i => Philox.NextDouble(7, (ulong)i))];
        Assert.All(draws, draw => Assert.True(draw is >= 0 and < 1));
        Assert.Equal(1000, draws.Distinct().Count());
        Assert.InRange(draws.Average(), 0.47, 0.53);
    }
}

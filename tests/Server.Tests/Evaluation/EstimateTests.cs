using Serving.Server.Evaluation;

namespace Serving.Server.Tests.Evaluation;

public sealed class EstimateTests
{
    [Fact]
    public void OfShare_FiftyOfHundred_HasTheBinomialMargin()
    {
        Estimate share = Estimate.OfShare(50, 100);
        Assert.Equal((0.5, 0.098), (share.Value, Math.Round(share.Margin, 6)));
    }

    [Fact]
    public void OfMean_Runs_HasTheMarginOfTheirMean()
    {
        Estimate mean = Estimate.OfMean([1, 2, 3, 4]);
        Assert.Equal((2.5, Math.Round(1.96 * Math.Sqrt(5.0 / 3 / 4), 9)), (mean.Value, Math.Round(mean.Margin, 9)));
    }

    // Drawn many times over, about 95 of 100 intervals must hold the true ratio.
    [Fact]
    public void OfRatio_NoisyParts_HoldsTheTruthAsOftenAsItSays()
    {
        var random = new Random(4);
        int held = 0;
        for (int trial = 0; trial < 2000; trial++)
        {
            Estimate ratio = Estimate.OfRatio([.. Enumerable.Range(0, 60).Select(_ =>
            {
                double size = 10 + random.Next(20);
                return ((2 * size) + (30 * (random.NextDouble() - 0.5)), size);
            })]);
            held += Math.Abs(ratio.Value - 2) <= ratio.Margin ? 1 : 0;
        }
        Assert.InRange(held, 1840, 1940);
    }
}

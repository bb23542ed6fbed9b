namespace Serving.Server.Evaluation;

/// <summary>A measured value and half the width of its 95 % confidence interval.</summary>
internal readonly record struct Estimate(double Value, double Margin)
{
    private const double Deviations = 1.96; // of a normal distribution, for 95 %

    /// <summary>A share: the mean of trials that succeed or fail.</summary>
    public static Estimate OfShare(int successes, int trials)
    {
        double share = (double)successes / trials;
        return new(share, Deviations * Math.Sqrt(share * (1 - share) / trials));
    }

    /// <summary>The mean of values; of one alone, the margin is not known.</summary>
    public static Estimate OfMean(IReadOnlyCollection<double> values)
    {
        double mean = values.Average();
        double variance = values.Sum(value => (value - mean) * (value - mean)) / (values.Count - 1);
        return new(mean, Deviations * Math.Sqrt(variance / values.Count));
    }

    /// <summary>A ratio of sums over parts of a text: bits over characters, say. Parts are taken for independent.</summary>
    public static Estimate OfRatio(IReadOnlyCollection<(double Amount, double Size)> parts)
    {
        double sizes = parts.Sum(part => part.Size), ratio = parts.Sum(part => part.Amount) / sizes;
        double squares = parts.Sum(part => Math.Pow(part.Amount - (ratio * part.Size), 2));
        int n = parts.Count;
        return new(ratio, Deviations * Math.Sqrt(squares * n / (n - 1)) / sizes);
    }
}

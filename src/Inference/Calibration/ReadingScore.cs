namespace Serving.Inference.Calibration;

/// <summary>How well a text goes with a reading of a model.</summary>
/// <param name="Reading">The reading.</param>
/// <param name="Losses">The negative log-probability of each token of the text, in nats.</param>
public sealed record ReadingScore(ModelReading Reading, IReadOnlyList<double> Losses)
{
    /// <summary>The least difference that counts, in nats a token, however sure it is.</summary>
    public const double LeastMargin = 0.02;

    /// <summary>How many standard errors a difference must have.</summary>
    public const double LeastErrors = 4;

    /// <summary>Nats a token.</summary>
    public double MeanLoss => Losses.Average();

    /// <summary>Whether this reading is better, beyond doubt, on the same text: token by token, since what is hard to foresee
    /// is so in both.</summary>
    public bool ClearlyBeats(ReadingScore other)
    {
        double[] margins = [.. other.Losses.Zip(Losses, (theirs, ours) => theirs - ours)];
        double mean = margins.Average();
        double error = Math.Sqrt(margins.Sum(margin => (margin - mean) * (margin - mean)) / margins.Length / Math.Max(1, margins.Length - 1));
        return mean >= LeastMargin && mean >= LeastErrors * error;
    }
}

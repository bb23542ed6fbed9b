namespace Serving.Inference.Ensembles;

/// <summary>How the experts of an ensemble answer together: what is averaged, and how much each one counts. Immutable.</summary>
public sealed class Blend
{
    private readonly double[] _weights;

    /// <summary>A blend of as many experts as there are weights.</summary>
    /// <param name="weights">Above 0 and finite, at least one; they are divided by their sum.</param>
    /// <param name="rule">What is averaged.</param>
    /// <exception cref="ArgumentException">There is no weight, or one is out of range.</exception>
    public Blend(IEnumerable<double> weights, EnsembleRule rule)
    {
        double[] given = [.. weights];
        if (given.Length == 0 || given.Any(weight => !double.IsFinite(weight) || weight <= 0))
            throw new ArgumentException($"A blend needs weights above 0, but has [{string.Join(", ", given)}].", nameof(weights));
        double sum = given.Sum();
        _weights = [.. given.Select(weight => weight / sum)];
        Rule = rule;
    }

    /// <summary>What is averaged.</summary>
    public EnsembleRule Rule { get; }

    /// <summary>One for each expert, in their order; their sum is 1.</summary>
    public ReadOnlySpan<double> Weights => _weights;
}

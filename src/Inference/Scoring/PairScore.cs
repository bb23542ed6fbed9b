namespace Serving.Inference.Scoring;

/// <summary>How far two mixtures are apart on the tokens that were scored.</summary>
public sealed class PairScore
{
    private double _forward;
    private double _backward;
    private double _jensenShannon;
    private long _same;
    private long _tokens;

    internal PairScore(int a, int b) => (A, B) = (a, b);

    /// <summary>Index of the first mixture.</summary>
    public int A { get; }

    /// <summary>Index of the second.</summary>
    public int B { get; }

    /// <summary>Mean Kullback-Leibler divergence of B from A, nats a token: the cost of taking B for A.</summary>
    public double KullbackLeibler => _forward / _tokens;

    /// <summary>The same with A taken for B.</summary>
    public double ReverseKullbackLeibler => _backward / _tokens;

    /// <summary>Mean Jensen-Shannon divergence, nats a token; 0 to ln 2.</summary>
    public double JensenShannon => _jensenShannon / _tokens;

    /// <summary>The share of tokens for which both have the same first choice.</summary>
    public double SameArgmax => (double)_same / _tokens;

    internal void Add(double forward, double backward, double jensenShannon, bool same)
    {
        _forward += forward;
        _backward += backward;
        _jensenShannon += jensenShannon;
        _same += same ? 1 : 0;
        _tokens++;
    }
}

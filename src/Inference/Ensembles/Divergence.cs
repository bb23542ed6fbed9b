using System.Runtime.Intrinsics;

namespace Serving.Inference.Ensembles;

/// <summary>How far rows of logits are apart as distributions, in nats, in double precision.</summary>
internal static class Divergence
{
    // Far below any probability that counts, so that its logarithm is finite.
    private const double Tiny = 1e-300;

    /// <summary>The Jensen-Shannon divergence: the weighted mean of the rows' Kullback-Leibler divergences from their mixture.
    /// 0 where all agree, at most the entropy of the weights.</summary>
    /// <param name="logits">Of each expert.</param>
    /// <param name="start">Where the row starts in each.</param>
    /// <param name="vocabulary">Logits a row.</param>
    /// <param name="logSums">Of each expert's row.</param>
    /// <param name="weights">Of each expert; they sum to 1.</param>
    public static double JensenShannon(
        float[][] logits, int start, int vocabulary, ReadOnlySpan<double> logSums, ReadOnlySpan<double> weights)
    {
        Vector256<double> sums = Vector256<double>.Zero;
        int i = 0;
        for (; i <= vocabulary - Vector256<double>.Count; i += Vector256<double>.Count)
        {
            Vector256<double> mixture = Vector256<double>.Zero, own = Vector256<double>.Zero;
            for (int expert = 0; expert < weights.Length; expert++)
            {
                Vector256<double> logprobs = LogitAverage.Widen(logits[expert], start + i) - Vector256.Create(logSums[expert]);
                Vector256<double> share = Vector256.Exp(logprobs) * weights[expert];
                mixture += share;
                own += share * logprobs;
            }
            sums += own - (mixture * Vector256.Log(Vector256.Max(mixture, Vector256.Create(Tiny))));
        }
        double sum = Vector256.Sum(sums);
        for (; i < vocabulary; i++)
        {
            double mixture = 0, own = 0;
            for (int expert = 0; expert < weights.Length; expert++)
            {
                double logprob = logits[expert][start + i] - logSums[expert];
                double share = Math.Exp(logprob) * weights[expert];
                (mixture, own) = (mixture + share, own + (share * logprob));
            }
            sum += own - (mixture * Math.Log(Math.Max(mixture, Tiny)));
        }
        return Math.Max(sum, 0); // rounding may leave it a hair below
    }

    /// <summary>The Kullback-Leibler divergence of <paramref name="q"/> from <paramref name="p"/>: what it costs, a token, to take
    /// q for p.</summary>
    public static double KullbackLeibler(ReadOnlySpan<float> p, double pLogSum, ReadOnlySpan<float> q, double qLogSum)
    {
        double sum = 0;
        for (int i = 0; i < p.Length; i++)
        {
            double logprob = p[i] - pLogSum;
            sum += Math.Exp(logprob) * (logprob - (q[i] - qLogSum));
        }
        return Math.Max(sum, 0);
    }
}

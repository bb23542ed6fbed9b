using Serving.Inference.Ensembles;
using Serving.Inference.Scoring;
using Serving.Inference.Tests.Ensembles;

namespace Serving.Inference.Tests.Scoring;

public sealed class TextScorerTests
{
    private static readonly Mixture[] Mixtures =
    [
        Mixture.Of(0), Mixture.Of(1), new([0, 1], new Blend([1, 1], EnsembleRule.Logits)), new([1, 0, 1], new Blend([1, 2, 4], EnsembleRule.Probabilities)),
    ];

    private readonly int[] _tokens = Experts.Tokens(11, 48);

    // Softmax, mean and sum are done once more here, in double precision, from the experts' own logits.
    [Fact]
    public void Score_Mixtures_AreTheirExpertsAverages()
    {
        double[][] a = Logits(0), b = Logits(1);
        Func<int, double[]>[] expected =
        [
            row => Softmax(a[row]),
            row => Softmax(b[row]),
            row => Softmax([.. a[row].Zip(b[row], (x, y) => (x + y) / 2)]),
            row => [.. Softmax(a[row]).Zip(Softmax(b[row]), (x, y) => ((2 * x) + (5 * y)) / 7)],
        ];
        float[][] scores = Score(1, [], out _);
        for (int mixture = 0; mixture < Mixtures.Length; mixture++)
        {
            Assert.Equal(_tokens.Length - 1, scores[mixture].Length);
            for (int i = 1; i < _tokens.Length; i++)
                Assert.Equal(Math.Log(expected[mixture](i - 1)[_tokens[i]]), scores[mixture][i - 1], 1e-5);
        }
    }

    [Fact]
    public void Score_FromALaterToken_GivesTheSameBits()
    {
        float[][] whole = Score(1, [], out _), rest = Score(30, [], out _);
        Assert.All(whole.Zip(rest), pair => Assert.Equal(pair.First[29..], pair.Second));
    }

    [Fact]
    public void Score_Pairs_AreTheMeanDivergences()
    {
        double[][] a = Logits(0), b = Logits(1);
        Score(1, [(0, 1), (0, 0)], out IReadOnlyList<PairScore> pairs);
        int rows = _tokens.Length - 1;
        double forward = 0, backward = 0, shannon = 0, same = 0;
        for (int row = 0; row < rows; row++)
        {
            double[] p = Softmax(a[row]), q = Softmax(b[row]), m = [.. p.Zip(q, (x, y) => (x + y) / 2)];
            forward += Divergence(p, q) / rows;
            backward += Divergence(q, p) / rows;
            shannon += (Divergence(p, m) + Divergence(q, m)) / 2 / rows;
            same += Array.IndexOf(p, p.Max()) == Array.IndexOf(q, q.Max()) ? 1.0 / rows : 0;
        }
        Assert.Equal(forward, pairs[0].KullbackLeibler, 1e-6);
        Assert.Equal(backward, pairs[0].ReverseKullbackLeibler, 1e-6);
        Assert.Equal(shannon, pairs[0].JensenShannon, 1e-6);
        Assert.Equal(same, pairs[0].SameArgmax, 1e-9);
        Assert.Equal((0, 0, 0, 1), (pairs[1].KullbackLeibler, pairs[1].ReverseKullbackLeibler, Math.Round(pairs[1].JensenShannon, 12), pairs[1].SameArgmax));
    }

    [Fact]
    public void Score_ManyMixtures_RunsEveryExpertOnce()
    {
        FixedBackend[] experts = [new(256), new(256)];
        var scorer = new TextScorer([new("a", experts[0]), new("b", experts[1])], Mixtures, [(0, 1), (2, 3)]);
        scorer.Score(_tokens, 1, CancellationToken.None);
        Assert.All(experts, expert => Assert.Equal(1, expert.Passes));
    }

    [Fact]
    public void Score_ExpertWithoutFiniteLogits_IsNamed()
    {
        var scorer = new TextScorer(
            [new("well", new FixedBackend(256)), new("ill", new FixedBackend(256) { [3] = float.NaN })], Mixtures, []);
        Assert.Equal("ill", Assert.Throws<MemberFaultException>(() => scorer.Score(_tokens, 1, CancellationToken.None)).MemberId);
    }

    [Fact]
    public void Score_TextThatCannotBe_IsRefused()
    {
        var scorer = new TextScorer([new("a", new FixedBackend(256))], [Mixture.Of(0)], []);
        Assert.Throws<ArgumentOutOfRangeException>(() => scorer.Score([1], 1, CancellationToken.None));
        Assert.Throws<ArgumentOutOfRangeException>(() => scorer.Score(new int[50], 1, CancellationToken.None));
    }

    private float[][] Score(int first, (int A, int B)[] pairs, out IReadOnlyList<PairScore> result)
    {
        using IBackend a = Experts.Create(), b = Experts.Create(1);
        var scorer = new TextScorer([new("a", a), new("b", b)], Mixtures, pairs);
        result = scorer.Pairs;
        return scorer.Score(_tokens, first, CancellationToken.None);
    }

    private double[][] Logits(int seed)
    {
        using IBackend expert = Experts.Create(seed);
        return [.. Experts.Run(expert, _tokens).Select(row => row.Select(value => (double)value).ToArray())];
    }

    private static double Divergence(double[] p, double[] q) => p.Zip(q, (x, y) => x * Math.Log(x / y)).Sum();

    private static double[] Softmax(double[] logits)
    {
        double sum = logits.Sum(Math.Exp);
        return [.. logits.Select(logit => Math.Exp(logit) / sum)];
    }
}

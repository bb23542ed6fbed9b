using Serving.Inference.Sampling;

namespace Serving.Inference.Tests.Sampling;

public class LogSoftmaxTests
{
    [Theory]
    [InlineData(2)]
    [InlineData(19)]
    [InlineData(256)]
    [InlineData(3001)]
    public void Top_AnyCount_MatchesASortInDoublePrecision(int vocabulary)
    {
        LogSoftmax softmax = new(vocabulary);
        for (int seed = 0; seed < 20; seed++)
        {
            float[] logits = seed % 2 == 0 ? Rows.Random(vocabulary, seed) : Rows.Tied(vocabulary, seed);
            int count = seed;
            double logSum = Math.Log(logits.Sum(logit => Math.Exp(logit)));
            int[] order = [.. Enumerable.Range(0, vocabulary).OrderByDescending(id => logits[id]).ThenBy(id => id).Take(count)];
            softmax.Read(logits);
            TokenLogprob[] top = softmax.Top(logits, count);

            Assert.Equal(order, top.Select(token => token.TokenId));
            Assert.All(top, token => Assert.Equal(logits[token.TokenId] - logSum, token.Logprob, 2e-6));
            Assert.All(top, token => Assert.Equal(softmax.Of(logits[token.TokenId]), token.Logprob)); // the same float
        }
    }

    [Fact]
    public void Top_TokensBanned_AreLastWithMinusInfinity()
    {
        LogSoftmax softmax = new(4);
        float[] logits = [float.NegativeInfinity, 1, float.NegativeInfinity, 1];
        softmax.Read(logits);
        TokenLogprob[] top = softmax.Top(logits, 3);
        Assert.Equal([1, 3, 0], top.Select(token => token.TokenId));
        Assert.Equal(-Math.Log(2), top[0].Logprob, 1e-6);
        Assert.Equal(float.NegativeInfinity, top[2].Logprob);
    }

    [Fact]
    public void Read_NaN_Throws() => Assert.Throws<ArithmeticException>(() => new LogSoftmax(2).Read([0, float.NaN]));
}

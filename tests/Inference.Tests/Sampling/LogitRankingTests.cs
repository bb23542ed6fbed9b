using Serving.Inference.Sampling;

namespace Serving.Inference.Tests.Sampling;

public class LogitRankingTests
{
    [Fact]
    public void Key_AnyTwoTokens_OrdersByLogitThenId()
    {
        float[] logits = [float.PositiveInfinity, 3e38f, 2, 1e-40f, 0, -0f, -1e-40f, -2, float.NegativeInfinity];
        int[] ids = [0, 1, 65535, 131071];
        foreach (float a in logits)
            foreach (float b in logits)
                foreach (int i in ids)
                    foreach (int j in ids)
                    {
                        int expected = a != b ? b.CompareTo(a) : i.CompareTo(j);
                        Assert.Equal(expected, LogitRanking.Key(a, i).CompareTo(LogitRanking.Key(b, j)));
                        Assert.Equal(i, LogitRanking.Id(LogitRanking.Key(a, i)));
                    }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(48)]
    [InlineData(49)]
    [InlineData(1000)]
    [InlineData(20000)]
    public void TakeBest_AnyCountOrSum_IsTheSortedBeginning(int length)
    {
        Random random = new(length);
        for (int round = 0; round < 20; round++)
        {
            float[] logits = (round % 4) switch
            {
                0 => Rows.Random(length, round),
                1 => Rows.Tied(length, round),
                2 => [.. Rows.Random(length, round).Order()],
                _ => [.. Rows.Random(length, round).OrderDescending()],
            };
            float[] weights = [.. logits.Select(logit => MathF.Exp(logit))];
            ulong[] keys = [.. logits.Select(LogitRanking.Key)];
            ulong[] sorted = [.. keys.Order()];
            int most = random.Next(1, length + 1);
            Assert.Equal(most, LogitRanking.TakeBest(keys, most, weights, double.PositiveInfinity));
            Assert.Equal(sorted.Take(most), keys.Take(most));

            double sum = weights.Sum(weight => (double)weight) * random.NextDouble();
            int taken = LogitRanking.TakeBest(keys, length, weights, sum);
            Assert.Equal(sorted.Take(taken), keys.Take(taken));
            Assert.True(Sum(taken) >= sum && Sum(taken - 1) < sum);

            double Sum(int count) => sorted.Take(count).Aggregate(0.0, (total, key) => total + weights[LogitRanking.Id(key)]);
        }
    }
}

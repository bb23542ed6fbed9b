using System.Runtime.Intrinsics;
using Serving.Inference.Sampling;

namespace Serving.Inference.Tests.Sampling;

public class LogitMathTests
{
    [Fact]
    public void Exp_FromZeroDownToUnderflow_IsCloseToDoublePrecision()
    {
        for (float x = 0; x > -87; x -= 0.0137f)
        {
            double expected = Math.Exp(x);
            Assert.InRange(LogitMath.Exp(Vector256.Create(x))[3] / expected, 1 - 2e-7, 1 + 2e-7);
        }
    }

    [Theory]
    [InlineData(0f, 1f)]
    [InlineData(-88f, 0f)]
    [InlineData(-1e30f, 0f)]
    [InlineData(float.NegativeInfinity, 0f)]
    public void Exp_Edges_AreExact(float x, float expected) => Assert.Equal(expected, LogitMath.Exp(Vector256.Create(x))[0]);

    [Fact]
    public void Exp_SixteenLanes_AreTheBitsOfEight()
    {
        for (float x = 1e-6f; x < 100; x *= 1.0003f)
            Assert.Equal(LogitMath.Exp(Vector256.Create(-x))[5], LogitMath.Exp(Vector512.Create(-x))[11]);
    }

    // As on a machine without wide vectors.
    [Theory]
    [InlineData(1f)]
    [InlineData(0.7f)]
    public void Weigh_WideVectors_GiveTheBitsOfNarrowOnes(float temperature)
    {
        float[] logits = Rows.Random(1021, 3), weights = new float[1021];
        float max = logits.Max();
        double[] sums = new double[1];
        LogitMath.Weigh(logits, max, temperature, weights, sums);
        Vector256<double> lanes = Vector256<double>.Zero;
        int i = 0;
        for (; i <= logits.Length - 8; i += 8)
        {
            (Vector256<double> lower, Vector256<double> upper) = Vector256.Widen(
                LogitMath.Exp((Vector256.Create(logits, i) - Vector256.Create(max)) / Vector256.Create(temperature)));
            lanes += lower + upper;
        }
        double expected = lanes[0] + lanes[1] + lanes[2] + lanes[3];
        for (; i < logits.Length; i++)
            expected += LogitMath.Exp(Vector256.Create((logits[i] - max) / temperature))[0];
        Assert.Equal(expected, sums[0]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(1023)]
    [InlineData(1025)]
    [InlineData(5001)]
    public void Weigh_AnyLength_MatchesDoublePrecision(int length)
    {
        float[] logits = Rows.Random(length, length);
        float max = logits.Max();
        float[] weights = new float[length];
        double[] sums = new double[(length + LogitMath.BlockLogits - 1) / LogitMath.BlockLogits];
        double total = LogitMath.Weigh(logits, max, 0.7f, weights, sums);

        Assert.Equal(max, LogitMath.Max(logits));
        Assert.Equal(Array.IndexOf(logits, max), LogitMath.FirstIndexOf(logits, max));
        for (int i = 0; i < length; i++) Assert.Equal(Math.Exp((logits[i] - (double)max) / 0.7f), weights[i], 2e-6);
        double expected = logits.Sum(logit => Math.Exp((logit - (double)max) / 0.7f));
        Assert.InRange(total / expected, 1 - 1e-6, 1 + 1e-6);
        Assert.Equal(total, sums.Sum(), 1e-9);
    }

    [Theory]
    [InlineData(0, float.NaN)]
    [InlineData(9, float.NaN)]
    [InlineData(16, float.NaN)]
    [InlineData(3, float.PositiveInfinity)]
    public void FiniteMax_BrokenLogit_Throws(int index, float broken)
    {
        float[] logits = Rows.Random(17, 1);
        logits[index] = broken;
        Assert.Throws<ArithmeticException>(() => LogitMath.FiniteMax(logits));
    }

    [Fact]
    public void FiniteMax_EverythingBanned_Throws() =>
        Assert.Throws<ArithmeticException>(() => LogitMath.FiniteMax([float.NegativeInfinity, float.NegativeInfinity]));
}

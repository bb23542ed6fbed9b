using Serving.Server.Peers;

namespace Serving.Server.Tests.Peers;

public sealed class LogitCodecTests
{
    private const int Vocabulary = 1000;

    [Fact]
    public void Read_F32_IsTheSameBits() => Assert.Equal(Row(), RoundTrip(new(LogitForm.F32)));

    [Fact]
    public void Read_F16_IsOffByTheStatedBound()
    {
        float[] row = Row(), read = RoundTrip(new(LogitForm.F16));
        float max = row.Max();
        Assert.Equal(max, read.Max());
        Assert.All(row.Zip(read), pair => Assert.True(Math.Abs(pair.First - pair.Second) <= ((max - pair.First) / 2048) + 1e-5f));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(64)]
    [InlineData(999)]
    public void Read_Top_KeepsTheBestExactlyAndTheTailsProbability(int top)
    {
        float[] row = Row(), read = RoundTrip(new(LogitForm.Top, top));
        int[] best = [.. Enumerable.Range(0, Vocabulary).OrderByDescending(id => row[id]).Take(top)];
        Assert.All(best, id => Assert.Equal(row[id], read[id]));
        Assert.Equal(LogSum(row), LogSum(read), 4);
        double tail = 1 - best.Sum(id => Math.Exp(row[id] - LogSum(row)));
        double distance = Enumerable.Range(0, Vocabulary).Sum(id => Math.Abs(Math.Exp(row[id] - LogSum(row)) - Math.Exp(read[id] - LogSum(read)))) / 2;
        Assert.True(distance <= tail + 1e-5, $"{distance} of a tail of {tail}");
    }

    [Fact]
    public void Read_TopOfMoreThanThereAre_IsWhole() => Assert.Equal(Row(), RoundTrip(new(LogitForm.Top, Vocabulary)));

    [Theory]
    [InlineData("f32", LogitForm.F32, 0)]
    [InlineData("f16", LogitForm.F16, 0)]
    [InlineData("top-256", LogitForm.Top, 256)]
    public void Parse_Known_IsRead(string text, object form, int top) => Assert.Equal(new LogitEncoding((LogitForm)form, top), LogitEncoding.Parse(text));

    [Theory]
    [InlineData("f8")]
    [InlineData("top-0")]
    [InlineData("top-")]
    [InlineData("top--1")]
    [InlineData("")]
    public void Parse_Unknown_IsNull(string text) => Assert.Null(LogitEncoding.Parse(text));

    private static float[] Row()
    {
        var random = new Random(3);
        return [.. Enumerable.Range(0, Vocabulary).Select(_ => (float)((random.NextDouble() * 30) - 20))];
    }

    private static float[] RoundTrip(LogitEncoding encoding)
    {
        var codec = new LogitCodec(Vocabulary, encoding);
        byte[] wire = new byte[codec.RowBytes];
        float[] read = new float[Vocabulary];
        codec.Write(Row(), wire);
        codec.Read(wire, read);
        return read;
    }

    private static double LogSum(float[] row) => Math.Log(row.Sum(logit => Math.Exp(logit)));
}

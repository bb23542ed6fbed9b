using Serving.Inference.Sampling;

namespace Serving.Inference.Tests.Sampling;

public class LogitAdjusterTests
{
    private static readonly float[] Row = [2, -2, 1, -1, 0.5f, 3];

    private readonly LogitAdjuster _adjuster = new(6, [5]);

    private static GenerationRequest Request => new() { Id = "test", PromptTokens = [0, 1], MaxTokens = 9 };

    [Fact]
    public void Adjust_NothingAsked_ReturnsTheRowItself() =>
        Assert.True(_adjuster.Adjust(Row, Request, [0, 1, 2]) == Row.AsSpan());

    [Fact]
    public void Adjust_Penalties_CountGeneratedTokensOnly() => AssertAdjusted([2, -2, 1 - 1.25f, -1 - 0.75f, 0.5f, 3],
        SamplingOptions.Greedy with { PresencePenalty = 0.25f, FrequencyPenalty = 0.5f }, 2, 3, 2);

    [Fact]
    public void Adjust_RepetitionPenalty_CountsThePromptAndEachTokenOnce() => AssertAdjusted([1, -4, 0.5f, -1, 0.5f, 3],
        SamplingOptions.Greedy with { RepetitionPenalty = 2 }, 2, 2);

    [Fact]
    public void Adjust_Bias_IsAdded()
    {
        GenerationRequest request = Request with { LogitBias = [new LogitBias(1, 4), new LogitBias(2, -100)] };
        Assert.Equal([2, 2, -99, -1, 0.5f, 3], _adjuster.Adjust(Row, request, [0, 1]).ToArray());
    }

    [Fact]
    public void Adjust_FewerThanMinTokens_BansEndsAndStopTokens()
    {
        GenerationRequest request = Request with { MinTokens = 2, StopTokenIds = [3] };
        float banned = float.NegativeInfinity;
        Assert.Equal([2, -2, 1, banned, 0.5f, banned], _adjuster.Adjust(Row, request, [0, 1, 4]).ToArray());
        GenerationRequest ignoring = request with { IgnoreEndOfText = true };
        Assert.Equal([2, -2, 1, banned, 0.5f, 3], _adjuster.Adjust(Row, ignoring, [0, 1, 4]).ToArray());
        Assert.Equal(Row, _adjuster.Adjust(Row, request, [0, 1, 4, 4]).ToArray());
    }

    private void AssertAdjusted(float[] expected, SamplingOptions options, params int[] generated)
    {
        for (int i = 0; i < 2; i++) // twice: the counts must be clean again
            Assert.Equal(expected, _adjuster.Adjust(Row, Request with { Sampling = options }, [0, 1, .. generated]).ToArray());
    }
}

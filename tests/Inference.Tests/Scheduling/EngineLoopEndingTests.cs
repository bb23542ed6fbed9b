using Serving.Inference.Scheduling;
using static Serving.Inference.Tests.Scheduling.LoopRuns;

namespace Serving.Inference.Tests.Scheduling;

/// <summary>Where a generation ends.</summary>
public class EngineLoopEndingTests
{
    [Fact]
    public void Compute_EndOfTextToken_IsReportedWithoutText()
    {
        GenerationRequest request = Requests.Of(50, 60, 70);
        int third = Requests.Expected(request, 64, [])[2];
        EngineOptions options = new() { EndOfTextIds = [third] };
        List<GenerationEvent> events = Run(request, options);

        TokenGenerated end = Assert.IsType<TokenGenerated>(events[^2]);
        Assert.Equal((third, ""), (end.TokenId, end.Text));
        Assert.Equal(FinishReason.Stop, Assert.IsType<GenerationFinished>(events[^1]).Reason);
        Assert.True(Run(request with { IgnoreEndOfText = true }, options).Count > events.Count);
        Assert.True(Run(request with { MinTokens = 5 }, options).Count > 5);
    }

    [Fact]
    public void Compute_StopTextAcrossTokens_CutsTheTextThereAndFreesTheBlocks()
    {
        GenerationRequest request = Requests.Of(50, 60, 70) with { MaxTokens = 20 };
        string whole = Text(Run(request, new EngineOptions()));
        for (int start = 0; start + 3 < whole.Length; start++)
        {
            string stop = whole.Substring(start, 3);
            List<GenerationEvent> events = Run(request with { Stop = [stop, "never"] }, new EngineOptions());

            Assert.Equal(whole[..whole.IndexOf(stop, StringComparison.Ordinal)], Text(events));
            Assert.Equal(FinishReason.Stop, Assert.IsType<GenerationFinished>(events[^1]).Reason);
        }
    }

    [Fact]
    public void Compute_StopTextBeforeMinTokens_DoesNotStop()
    {
        GenerationRequest request = Requests.Of(50, 60, 70);
        string whole = Text(Run(request, new EngineOptions()));
        List<GenerationEvent> events = Run(request with { Stop = [whole[..2]], MinTokens = 6 }, new EngineOptions());

        Assert.Equal(whole, Text(events));
        Assert.Equal("", Text(Run(request with { Stop = [whole[..2]] }, new EngineOptions())));
    }

    [Fact]
    public void Compute_ContextEndsFirst_FinishesWithLength()
    {
        EngineLoop loop = new(new ReadBackBackend(Requests.Vocabulary, 64, 4, 3), new EngineOptions());
        Generation generation = Create(Requests.Of(5, 6, 7) with { MaxTokens = 1000 }, loop);
        loop.Accept(generation);
        RunToEnd(loop);

        Assert.Equal(12, loop.ContextTokens); // all blocks
        Assert.Equal(12, generation.Tokens.Length);
        Assert.Equal(FinishReason.Length, Assert.IsType<GenerationFinished>(Events(generation)[^1]).Reason);
    }
}

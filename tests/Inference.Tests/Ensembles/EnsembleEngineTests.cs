using Serving.Inference.Ensembles;
using Serving.Inference.Scheduling;
using Serving.Inference.Tests.Scheduling;

namespace Serving.Inference.Tests.Ensembles;

public sealed class EnsembleEngineTests
{
    private const int IllToken = 7;

    [Fact]
    public async Task Submit_MemberIllOnOneText_FailsThatRequestAlone()
    {
        using var backend = new LogitEnsemble(
            [new("well", new FixedBackend(256)), new("touchy", new FixedBackend(256) { [65] = 5, IllToken = IllToken })]);
        await using var engine = new Engine(backend, Requests.Tokenizer, new EngineOptions());
        var readers = new[] { 1, IllToken, 2 }.Select(token => engine.Submit(
            new GenerationRequest { Id = $"{token}", PromptTokens = [token], MaxTokens = 4 }, CancellationToken.None)).ToArray();
        var ends = new List<GenerationFinished>();
        foreach (var reader in readers)
            ends.Add((GenerationFinished)(await reader.ReadAllAsync(TestContext.Current.CancellationToken).ToListAsync(TestContext.Current.CancellationToken))[^1]);
        Assert.Equal([FinishReason.Length, FinishReason.Error, FinishReason.Length], ends.Select(end => end.Reason));
        Assert.Equal("touchy", Assert.IsType<MemberFaultException>(ends[1].Error).MemberId);
    }
}

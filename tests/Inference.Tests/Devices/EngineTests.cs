using System.Threading.Channels;
using Serving.Inference.Ensembles;
using Serving.Inference.Sampling;
using Serving.Inference.Scheduling;
using Serving.Inference.Tests.Ensembles;
using Serving.Inference.Tests.Scheduling;

namespace Serving.Inference.Tests.Devices;

/// <summary>An engine over every device: who picks the tokens must not show, and a request that ends leaves nothing behind.</summary>
public sealed class EngineTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private static CancellationToken Stay => TestContext.Current.CancellationToken;

    // With log-probabilities rows come home and the host picks; without, the device may.
    [Theory]
    [MemberData(nameof(TestDevices.All), MemberType = typeof(TestDevices))]
    public async Task Submit_WithAndWithoutLogprobs_GivesTheSameTokens(string device)
    {
        using IBackend backend = DeviceExperts.Average(TestDevices.Open(device), [0, 1], [1, 1], EnsembleRule.Logits);
        await using Engine engine = new(backend, Requests.Tokenizer, new EngineOptions { TokenBudget = 40 });
        foreach (SamplingOptions sampling in Samplings())
        {
            GenerationRequest request = Requests.Of(1, 2, 3) with { Sampling = sampling, IgnoreEndOfText = true };
            int[] bare = await TokensAsync(engine, request);
            Assert.Equal(8, bare.Length);
            Assert.Equal(await TokensAsync(engine, request with { Logprobs = 2 }), bare);
        }
    }

    [Theory]
    [MemberData(nameof(TestDevices.All), MemberType = typeof(TestDevices))]
    public async Task Submit_ManyAtOnce_EachEndsAndNoBlockIsLost(string device)
    {
        using IBackend backend = DeviceExperts.Average(TestDevices.Open(device), [0, 1], [1, 1], EnsembleRule.Logits);
        await using Engine engine = new(backend, Requests.Tokenizer, new EngineOptions { TokenBudget = 40 });
        GenerationRequest[] requests = [.. Enumerable.Range(0, 24).Select(i => Requests.Of(Experts.Tokens(i, 2 + i)) with
        {
            Sampling = Samplings()[i % Samplings().Length],
            PromptLogprobs = i % 5 == 0 ? 1 : null,
            Logprobs = i % 3 == 0 ? 1 : null,
        })];
        int[][] answers = await Task.WhenAll(requests.Select(request => TokensAsync(engine, request)));
        Assert.All(answers, answer => Assert.InRange(answer.Length, 1, 8));
        await AssertIdleAsync(engine);
    }

    [Theory]
    [MemberData(nameof(TestDevices.All), MemberType = typeof(TestDevices))]
    public async Task Submit_ThenCancelled_EndsAndGivesItsBlocksBack(string device)
    {
        using IBackend backend = DeviceExperts.Average(TestDevices.Open(device), [0, 1], [1, 1], EnsembleRule.Logits, contextTokens: 1024);
        await using Engine engine = new(backend, Requests.Tokenizer, new EngineOptions { TokenBudget = 40 });
        using CancellationTokenSource leaving = new();
        // More than may wait for a reader: it cannot end by itself before the cancellation.
        const int Tokens = 3 * Generation.MostUnreadEvents;
        ChannelReader<GenerationEvent> events = engine.Submit(Requests.Of(1, 2) with { MaxTokens = Tokens, IgnoreEndOfText = true }, leaving.Token);
        await events.ReadAsync(Stay);
        await leaving.CancelAsync();
        GenerationEvent? last = null;
        await foreach (GenerationEvent next in events.ReadAllAsync(Stay))
            last = next;
        Assert.Equal(FinishReason.Cancelled, Assert.IsType<GenerationFinished>(last).Reason);
        await AssertIdleAsync(engine);
    }

    private static SamplingOptions[] Samplings() =>
        [SamplingOptions.Greedy, new(1, 1, 0, 0, 3), new(0.8f, 0.9f, 0, 0, 4), new(1.2f, 1, 20, 0.01f, 5)];

    private static async Task<int[]> TokensAsync(Engine engine, GenerationRequest request)
    {
        var events = new List<GenerationEvent>();
        await foreach (GenerationEvent next in engine.Submit(request, Stay).ReadAllAsync(Stay))
            events.Add(next);
        return [.. events.OfType<TokenGenerated>().Select(token => token.TokenId)];
    }

    private static async Task AssertIdleAsync(Engine engine)
    {
        Assert.True(await engine.DrainAsync(Patience));
        EngineStatistics now = engine.Statistics;
        Assert.Equal((0, 0, 0), (now.RunningRequests, now.WaitingRequests, now.KvBlocksUsed));
    }
}

using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu;
using Serving.Inference.Scheduling;
using Serving.Inference.Speculation;
using Serving.Inference.Tests.Ensembles;
using Serving.Inference.Tests.Scheduling;

namespace Serving.Inference.Tests.Cpu;

public sealed class CpuBackendDraftingTests : IDisposable
{
    private const int Depth = 2;
    private static readonly CpuOptions Options = new() { Threads = 2, KvBlocks = 24 };
    private static readonly TransformerWeights Whole = RandomModel.Create(DType.BF16, layers: 5, vocabulary: 256);

    // The first blocks of the whole, and a head of its own.
    private static readonly TransformerWeights Stage = Whole with
    {
        Blocks = [.. Whole.Blocks.Take(Depth)],
        Head = RandomModel.Create(DType.BF16, seed: 2, vocabulary: 256).Head,
    };

    private readonly CpuModel _whole = new(Whole, 2);
    private readonly CpuModel _stage = new(Stage, 2);
    private readonly int[] _tokens = Experts.Tokens(3, 40);

    public void Dispose()
    {
        _whole.Dispose();
        _stage.Dispose();
    }

    [Fact]
    public void Draft_Tokens_AnswersAsTheStage()
    {
        using var grown = new CpuBackend(_whole, _stage, Options);
        using var stage = new CpuBackend(_stage, Options);
        var batch = new ForwardBatch();
        var drafted = new List<float[]>();
        for (int i = 0; i < _tokens.Length; i++)
        {
            batch.Clear();
            batch.Add([_tokens[i]], i, [4, 0, 7], 1);
            float[] logits = new float[256];
            grown.Draft(batch, logits);
            drafted.Add(logits);
        }
        Experts.AssertSameBits(Experts.Run(stage, _tokens), [.. drafted]);
    }

    [Fact]
    public void Forward_DraftedBesideFreshChunks_SameBitsAsWithoutDrafts()
    {
        using var plain = new CpuBackend(_whole, Options);
        using var grown = new CpuBackend(_whole, _stage, Options);
        float[][] expected = Experts.Run(plain, _tokens), other = Experts.Run(plain, Experts.Tokens(9, 30));
        List<int> blocks = [5, 0, 7], otherBlocks = [1, 2];
        var batch = new ForwardBatch();
        batch.Add(_tokens.AsSpan(0, 21), 0, blocks, 21);
        Experts.AssertSameBits(expected[..21], Sequence.Forward(grown, batch));
        for (int position = 21; position < 25; position++)
        {
            batch.Clear();
            batch.Add([_tokens[position]], position, blocks, 0);
            grown.Draft(batch, []);
        }
        batch.Clear();
        batch.Add(Experts.Tokens(9, 30), 0, otherBlocks, 2);
        batch.Add(_tokens.AsSpan(21, 4), 21, blocks, 4, drafted: true);
        Experts.AssertSameBits([.. other[28..], .. expected[21..25]], Sequence.Forward(grown, batch));
        batch.Clear();
        batch.Add(_tokens.AsSpan(25, 15), 25, blocks, 15); // what was drafted and verified is K/V like any other
        Experts.AssertSameBits(expected[25..], Sequence.Forward(grown, batch));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Engine_DraftingByDepth_AnswersTheSameBits(float temperature)
    {
        using var plain = new CpuBackend(_whole, Options);
        using var grown = new CpuBackend(_whole, _stage, Options);
        var reference = new EngineLoop(plain, new EngineOptions());
        var drafting = new EngineLoop(grown, new EngineOptions { Speculation = new SpeculationOptions(DraftSource.Depth, 3) });
        Assert.Equal(Answers(reference, temperature), Answers(drafting, temperature));
        Assert.True(drafting.DraftedTokens > 0);
    }

    [Fact]
    public void Create_StageThatIsNone_IsRefused()
    {
        Assert.Throws<ArgumentException>(() => new CpuBackend(_stage, _whole, Options));
        Assert.Throws<ArgumentException>(() => new CpuBackend(_whole, _whole, Options));
        using var plain = new CpuBackend(_whole, Options);
        Assert.False(plain.CanDraft);
    }

    private List<string> Answers(EngineLoop loop, float temperature)
    {
        Generation[] all = [.. Enumerable.Range(0, 3).Select(i => new Generation(new GenerationRequest
        {
            Id = $"{i}", PromptTokens = _tokens[..(4 + (9 * i))], MaxTokens = 20, Logprobs = 1, IgnoreEndOfText = true,
            Sampling = new(temperature, 1, 0, 0, (ulong)i),
        }, loop.ContextTokens, Requests.Tokenizer.CreateDecoder(), TimeProvider.System))];
        foreach (Generation generation in all)
            loop.Accept(generation);
        while (loop.HasWork)
        {
            loop.Plan();
            loop.Compute();
        }
        List<string> answers = [];
        foreach (Generation generation in all)
        {
            while (generation.Events.TryRead(out GenerationEvent? step))
            {
                if (step is TokenGenerated token)
                    answers.Add($"{token.TokenId} {BitConverter.SingleToUInt32Bits(token.Logprob!.Value):x} {token.TopLogprobs![0]}");
            }
        }
        return answers;
    }
}

using System.Net;
using Serving.Client;

namespace Serving.Conformance;

/// <summary>The project's own C# client against the real server.</summary>
[Collection(nameof(Target))]
public sealed class ServingClientTests(Target target) : IDisposable
{
    private static readonly CompletionRequest Greedy = new() { Model = Target.Model, Prompt = "The old house", MaxTokens = 12, Temperature = 0 };

    private readonly ServingClient _serving = new(target.Root, Target.Key);

    public void Dispose() => _serving.Dispose();

    [Fact]
    public async Task Complete_WholeAndStreamed_AreOneText()
    {
        Completion whole = await _serving.CompleteAsync(Greedy with { Logprobs = 2 });
        List<Completion> pieces = [];
        await foreach (Completion piece in _serving.StreamAsync(Greedy with { Logprobs = 2 }))
            pieces.Add(piece);
        Assert.Equal(whole.Choices[0].Text, string.Concat(pieces.SelectMany(piece => piece.Choices).Select(choice => choice.Text)));
        Assert.Equal(whole.Usage!.CompletionTokens, pieces[^1].Usage!.CompletionTokens);
        Assert.Equal(whole.Choices[0].Logprobs!.TokenLogprobs, pieces.SelectMany(piece => piece.Choices).SelectMany(choice => choice.Logprobs?.TokenLogprobs ?? []));
    }

    [Fact]
    public async Task Complete_EveryPromptForm_IsWritten()
    {
        foreach (Prompt prompt in (Prompt[])["a", (string[])["a", "b"], (int[])[70, 71], (int[][])[[70], [71]]])
            Assert.NotEmpty((await _serving.CompleteAsync(Greedy with { Prompt = prompt, MaxTokens = 2 })).Choices);
        Assert.Single((await _serving.CompleteAsync(Greedy with { Prompt = null, MaxTokens = 2 })).Choices);
    }

    [Fact]
    public async Task Complete_EveryOption_ReachesTheServer()
    {
        ServingException fault = await Assert.ThrowsAsync<ServingException>(() => _serving.CompleteAsync(Greedy with
        {
            MinTokens = -1, TopP = -1, TopK = -5, MinP = -1, Stop = [""], StopTokenIds = [-1], PresencePenalty = 9, FrequencyPenalty = 9,
            RepetitionPenalty = 9, LogitBias = new Dictionary<int, double> { [1] = 1000 }, SpecialTokens = "x", N = -1, BestOf = -1, Logprobs = 99,
        }));
        foreach (string field in (string[])["min_tokens", "top_p", "top_k", "min_p", "stop[0]", "stop_token_ids[0]", "presence_penalty", "frequency_penalty",
            "repetition_penalty", "logit_bias.1", "special_tokens", "'n'", "best_of", "logprobs"])
            Assert.Contains(field, fault.Message);
    }

    [Fact]
    public async Task Fault_Refused_TellsAll()
    {
        ServingException fault = await Assert.ThrowsAsync<ServingException>(() => _serving.CompleteAsync(Greedy with { Model = "nobody" }));
        Assert.Equal((HttpStatusCode.NotFound, "model_not_found", "model"), (fault.Status, fault.Code, fault.Param));
        Assert.NotEmpty(fault.RequestId!);
        ServingException elsewhere = await Assert.ThrowsAsync<ServingException>(() => _serving.DetokenizeAsync(Target.Model, [-1]));
        Assert.Equal((HttpStatusCode.BadRequest, "tokens[0]"), (elsewhere.Status, elsewhere.Param));
    }

    [Fact]
    public async Task Chat_WholeAndStreamed_AreOneText()
    {
        var request = new ChatRequest { Model = Target.Model, Messages = [new("user", "Who are you?")], MaxTokens = 8, Temperature = 0, Logprobs = true, TopLogprobs = 1 };
        ChatCompletion whole = await _serving.ChatAsync(request);
        string streamed = "";
        await foreach (ChatChunk chunk in _serving.StreamChatAsync(request))
            streamed += string.Concat(chunk.Choices.Select(choice => choice.Delta.Content));
        Assert.Equal(whole.Choices[0].Message.Content, streamed);
        Assert.Equal(whole.Usage.CompletionTokens, whole.Choices[0].Logprobs!.Content.Count);
    }

    [Fact]
    public async Task Embed_Texts_AreVectors()
    {
        IReadOnlyList<float[]> vectors = await _serving.EmbedAsync(new EmbeddingRequest { Model = Target.Model, Input = (string[])["a", "b"], Layer = "input" });
        Assert.Equal(2, vectors.Count);
        Assert.Equal(vectors[0].Length, vectors[1].Length);
    }

    [Fact]
    public async Task Tokenize_ThenDetokenize_IsTheText()
    {
        Tokenization tokens = await _serving.TokenizeAsync(Target.Model, "The old house");
        Assert.Equal(tokens.Count, tokens.TokenStrs.Count);
        Assert.Equal("The old house", await _serving.DetokenizeAsync(Target.Model, tokens.Tokens));
    }

    [Fact]
    public async Task Models_ListedAndLookedUp_Agree()
    {
        ModelInfo listed = Assert.Single(await _serving.ModelsAsync(), model => model.Id == Target.Model);
        Assert.Equal(listed, await _serving.ModelAsync(Target.Model));
        Assert.Equal("ready", listed.State);
    }
}

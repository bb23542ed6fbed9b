using System.ClientModel;
using System.ClientModel.Primitives;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Embeddings;
using OpenAI.Models;

namespace Serving.Conformance;

/// <summary>The official NuGet client, which has chat, embeddings and models, and no completions.</summary>
[Collection(nameof(Target))]
public sealed class OpenAiNuGetTests
{
    private static readonly ChatMessage[] Talk = [new SystemChatMessage("Be brief."), new UserChatMessage("Who are you?")];

    private readonly OpenAIClient _client;
    private readonly ChatClient _chat;

    public OpenAiNuGetTests(Target target)
    {
        var options = new OpenAIClientOptions { Endpoint = new Uri(target.Root, "v1"), RetryPolicy = new ClientRetryPolicy(0) };
        _client = new OpenAIClient(new ApiKeyCredential(Target.Key), options);
        _chat = _client.GetChatClient(Target.Model);
    }

    private static ChatCompletionOptions Greedy => new() { Temperature = 0, MaxOutputTokenCount = 12 };

    [Fact]
    public async Task Chat_Whole_HasTextReasonAndUsage()
    {
        ChatCompletion answer = await _chat.CompleteChatAsync(Talk, Greedy);
        Assert.NotEmpty(answer.Content[0].Text);
        Assert.Equal(ChatMessageRole.Assistant, answer.Role);
        Assert.True(answer.FinishReason is ChatFinishReason.Stop or ChatFinishReason.Length);
        Assert.Equal(answer.Usage.TotalTokenCount, answer.Usage.InputTokenCount + answer.Usage.OutputTokenCount);
        Assert.StartsWith("fp_", answer.SystemFingerprint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Chat_Streamed_IsTheWhole()
    {
        ChatCompletion whole = await _chat.CompleteChatAsync(Talk, Greedy);
        string text = "";
        ChatFinishReason? reason = null;
        ChatTokenUsage? usage = null;
        await foreach (StreamingChatCompletionUpdate update in _chat.CompleteChatStreamingAsync(Talk, Greedy))
        {
            text += string.Concat(update.ContentUpdate.Select(part => part.Text));
            reason ??= update.FinishReason;
            usage ??= update.Usage;
        }
        Assert.Equal(whole.Content[0].Text, text);
        Assert.Equal(whole.FinishReason, reason);
        Assert.Equal(whole.Usage.OutputTokenCount, usage!.OutputTokenCount);
    }

    [Fact]
    public async Task Chat_Logprobs_AreReadByTheClient()
    {
        ChatCompletionOptions options = Greedy;
        options.IncludeLogProbabilities = true;
        options.TopLogProbabilityCount = 3;
        ChatCompletion answer = await _chat.CompleteChatAsync(Talk, options);
        Assert.Equal(answer.Usage.OutputTokenCount, answer.ContentTokenLogProbabilities.Count);
        Assert.All(answer.ContentTokenLogProbabilities, token =>
        {
            Assert.Equal(3, token.TopLogProbabilities.Count);
            Assert.Equal(token.LogProbability, token.TopLogProbabilities.Max(top => top.LogProbability));
        });
    }

    [Fact]
    public async Task Chat_SameSeed_SaysTheSame()
    {
#pragma warning disable OPENAI001
        ChatCompletionOptions options = new() { Seed = 7, MaxOutputTokenCount = 24 };
#pragma warning restore OPENAI001
        Assert.Equal((await _chat.CompleteChatAsync(Talk, options)).Value.Content[0].Text, (await _chat.CompleteChatAsync(Talk, options)).Value.Content[0].Text);
    }

    [Fact]
    public async Task Chat_Stop_EndsTheAnswer()
    {
        string free = ((ChatCompletion)await _chat.CompleteChatAsync(Talk, Greedy)).Content[0].Text;
        ChatCompletionOptions options = Greedy;
        options.StopSequences.Add(free[3..5]);
        ChatCompletion stopped = await _chat.CompleteChatAsync(Talk, options);
        Assert.Equal(free[..free.IndexOf(free[3..5], StringComparison.Ordinal)], string.Concat(stopped.Content.Select(part => part.Text)));
        Assert.Equal(ChatFinishReason.Stop, stopped.FinishReason);
    }

    [Fact]
    public async Task Chat_Penalties_AreTaken()
    {
        ChatCompletionOptions options = Greedy;
        (options.FrequencyPenalty, options.PresencePenalty, options.TopP) = (1, 1, 0.9f);
        Assert.NotEmpty((await _chat.CompleteChatAsync(Talk, options)).Value.Content);
    }

    [Theory]
    [InlineData(3f, "temperature")]
    [InlineData(-1f, "temperature")]
    public async Task Chat_BadValue_IsAClientResultExceptionThatNamesTheField(float temperature, string param)
    {
        ClientResultException fault = await Assert.ThrowsAsync<ClientResultException>(
            () => _chat.CompleteChatAsync(Talk, new ChatCompletionOptions { Temperature = temperature }));
        Assert.Equal(400, fault.Status);
        Assert.Contains($"Parameter: {param}", fault.Message);
        Assert.Contains("invalid_value", fault.Message);
    }

    [Fact]
    public async Task Chat_UnknownModel_Is404WithItsCode()
    {
        ClientResultException fault = await Assert.ThrowsAsync<ClientResultException>(
            () => _client.GetChatClient("nobody").CompleteChatAsync(Talk, Greedy));
        Assert.Equal(404, fault.Status);
        Assert.Contains("model_not_found", fault.Message);
    }

    [Fact]
    public async Task Chat_StreamedUnknownModel_IsTheSameError()
    {
        ClientResultException fault = await Assert.ThrowsAsync<ClientResultException>(async () =>
        {
            await foreach (StreamingChatCompletionUpdate _ in _client.GetChatClient("nobody").CompleteChatStreamingAsync(Talk, Greedy))
                Assert.Fail("a piece of nobody's answer");
        });
        Assert.Equal(404, fault.Status);
    }

    [Fact]
    public async Task Chat_Tools_AreRefusedByName()
    {
        ChatCompletionOptions options = Greedy;
        options.Tools.Add(ChatTool.CreateFunctionTool("f"));
        ClientResultException fault = await Assert.ThrowsAsync<ClientResultException>(() => _chat.CompleteChatAsync(Talk, options));
        Assert.Contains("Parameter: tools", fault.Message);
        Assert.Contains("unsupported_parameter", fault.Message);
    }

    [Fact]
    public async Task Chat_Left_DoesNotHarmTheNext()
    {
        using var leaving = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (StreamingChatCompletionUpdate _ in _chat.CompleteChatStreamingAsync(
                Talk, new ChatCompletionOptions { MaxOutputTokenCount = 400 }, leaving.Token))
                await leaving.CancelAsync();
        });
        Assert.NotEmpty((await _chat.CompleteChatAsync(Talk, Greedy)).Value.Content);
    }

    [Fact]
    public async Task Embeddings_OfTexts_AreVectorsInOrder()
    {
        EmbeddingClient client = _client.GetEmbeddingClient(Target.Model);
        OpenAIEmbeddingCollection both = await client.GenerateEmbeddingsAsync(["an old house", "a river"]);
        OpenAIEmbedding one = await client.GenerateEmbeddingAsync("a river");
        Assert.Equal([0, 1], both.Select(embedding => embedding.Index));
        Assert.Equal(both[1].ToFloats().ToArray(), one.ToFloats().ToArray());
        Assert.NotEqual(both[0].ToFloats().ToArray(), one.ToFloats().ToArray());
        Assert.True(both.Usage.InputTokenCount > 0);
    }

    [Fact]
    public async Task Embeddings_OtherDimensions_AreRefusedByName()
    {
        ClientResultException fault = await Assert.ThrowsAsync<ClientResultException>(() =>
            _client.GetEmbeddingClient(Target.Model).GenerateEmbeddingAsync("x", new EmbeddingGenerationOptions { Dimensions = 7 }));
        Assert.Contains("Parameter: dimensions", fault.Message);
    }

    [Fact]
    public async Task Models_Listed_HoldTheOneThatIsAsked()
    {
        OpenAIModelClient models = _client.GetOpenAIModelClient();
        Assert.Contains((await models.GetModelsAsync()).Value, model => model.Id == Target.Model);
        OpenAIModel one = await models.GetModelAsync(Target.Model);
        Assert.Equal((Target.Model, "serving"), (one.Id, one.OwnedBy));
        Assert.Equal(404, (await Assert.ThrowsAsync<ClientResultException>(() => models.GetModelAsync("nobody"))).Status);
    }
}

using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Serving.Testing;

namespace Serving.EndToEnd;

/// <summary>Every golden checkpoint through the whole server, compared with PyTorch.</summary>
public sealed class GoldenCheckpointsTests : IAsyncLifetime
{
    private static readonly string Checkpoints = TestData.Path("checkpoints");
    private ServerProcess _server = null!;

    public async ValueTask InitializeAsync() => _server = await ServerProcess.StartAsync(Checkpoints);

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task Completion_OfEveryCheckpoint_HasTheReferencesLogprobsAndContinuation()
    {
        string[] variants = [.. Directory.EnumerateDirectories(Checkpoints).Select(Path.GetFileName).Order()!];
        Assert.Equal(15, variants.Length);
        foreach (string variant in variants)
        {
            Dictionary<string, int> vocabulary = VocabularyOf(variant);
            using JsonDocument golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Checkpoints, variant, "golden.json")));
            foreach (JsonElement expected in golden.RootElement.GetProperty("cases").EnumerateArray())
                await CheckAsync(variant, expected, vocabulary);
        }
    }

    [Fact]
    public async Task Completion_ReachingTheEndOfTheContext_EndsWithLength()
    {
        JsonElement answer = await CompleteAsync(new { model = "moe", prompt = Enumerable.Repeat(5, 40), max_tokens = 8, temperature = 0, ignore_eos = true });
        Assert.Equal("length", answer.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        Assert.Equal(48, answer.GetProperty("usage").GetProperty("total_tokens").GetInt32());
    }

    [Fact]
    public async Task Completion_PromptLongerThanTheContext_Is400WithBothNumbers()
    {
        using HttpResponseMessage response = await _server.Client.PostAsJsonAsync("/v1/completions",
            new { model = "moe", prompt = Enumerable.Repeat(5, 61), max_tokens = 1 });
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        string? message = (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error").GetProperty("message").GetString();
        Assert.Contains("48", message);
        Assert.Contains("61", message);
    }

    private async Task CheckAsync(string model, JsonElement expected, Dictionary<string, int> vocabulary)
    {
        int[] ids = expected.GetProperty("ids").Deserialize<int[]>()!, greedy = expected.GetProperty("greedy").Deserialize<int[]>()!;
        JsonElement answer = await CompleteAsync(new
        {
            model,
            prompt = ids,
            max_tokens = greedy.Length,
            temperature = 0,
            echo = true,
            logprobs = 1,
            ignore_eos = true,
        });
        JsonElement logprobs = answer.GetProperty("choices")[0].GetProperty("logprobs");
        int[] tokens = [.. logprobs.GetProperty("tokens").EnumerateArray().Select(token => vocabulary[token.GetString()!])];
        Assert.Equal([.. ids, .. greedy], tokens);
        double?[] prompt = expected.GetProperty("prompt_logprobs").Deserialize<double?[]>()!;
        double?[] actual = logprobs.GetProperty("token_logprobs").Deserialize<double?[]>()!;
        Assert.Null(actual[0]);
        // Beside bf16 weights keys and values are bf16, too.
        const double tolerance = 1e-4;
        for (int i = 1; i < ids.Length; i++)
            Assert.Equal(prompt[i]!.Value, actual[i]!.Value, tolerance);
    }

    private async Task<JsonElement> CompleteAsync(object request)
    {
        using HttpResponseMessage response = await _server.Client.PostAsJsonAsync("/v1/completions", request);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return await response.Content.ReadFromJsonAsync<JsonElement>();
    }

    private static Dictionary<string, int> VocabularyOf(string variant)
    {
        using JsonDocument tokenizer = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Checkpoints, variant, "tokenizer.json")));
        return tokenizer.RootElement.GetProperty("model").GetProperty("vocab").Deserialize<Dictionary<string, int>>()!;
    }
}

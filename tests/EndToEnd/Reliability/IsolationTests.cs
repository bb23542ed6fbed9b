using System.Text.Json;
using System.Text.RegularExpressions;

namespace Serving.EndToEnd.Reliability;

/// <summary>R43, and that a greedy answer is the same bytes from every route that gives one.</summary>
[Collection(nameof(SharedServer))]
public sealed partial class IsolationTests(SharedServer server)
{
    [Fact]
    public async Task Answers_InACrowd_HoldNothingOfOthersAndEqualThemselvesAlone()
    {
        int requests = Count.Of(few: 150, full: 500);
        string[] crowd = new string[requests];
        await Parallel.ForAsync(0, requests, new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (i, _) => crowd[i] = await AnswerAsync(i));
        for (int i = 0; i < requests; i++)
        {
            Assert.Equal([$"start {i:0000}"], Canary().Matches(crowd[i]).Select(match => match.Value).Distinct());
            Assert.StartsWith($"same start {i:0000}:", JsonDocument.Parse(crowd[i]).RootElement[0].GetProperty("text").GetString(), StringComparison.Ordinal);
            if (i % 10 == 0)
                Assert.Equal(await AnswerAsync(i), crowd[i]);
        }
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("bf16")]
    [InlineData("plain+bf16")]
    public async Task Greedy_EveryRoute_GivesTheSameBytes(string model)
    {
        const string Prompt = "User: Hi\nAssistant:";
        var request = new { model, prompt = Prompt, max_tokens = 20, temperature = 0, ignore_eos = true, logprobs = 2, stop = "\nUser:" };
        JsonElement plain = (await server.AskAsync("/v1/completions", request)).GetProperty("choices")[0];
        string text = plain.GetProperty("text").GetString()!;
        string[] logprobs = Raw(plain.GetProperty("logprobs").GetProperty("token_logprobs"));

        JsonElement[] streamed = [.. (await server.EventsAsync("/v1/completions", With(request, new { stream = true }))).SkipLast(1)
            .Select(data => JsonDocument.Parse(data).RootElement.GetProperty("choices")[0])];
        Assert.Equal(text, string.Concat(streamed.Select(piece => piece.GetProperty("text").GetString())));
        Assert.Equal(logprobs, streamed.Where(piece => piece.GetProperty("logprobs").ValueKind == JsonValueKind.Object)
            .SelectMany(piece => Raw(piece.GetProperty("logprobs").GetProperty("token_logprobs"))));

        JsonElement echoed = (await server.AskAsync("/v1/completions", With(request, new { echo = true }))).GetProperty("choices")[0];
        Assert.Equal(Prompt + text, echoed.GetProperty("text").GetString());
        Assert.Equal(logprobs, Raw(echoed.GetProperty("logprobs").GetProperty("token_logprobs"))[^logprobs.Length..]);

        foreach (JsonElement one in (await server.AskAsync("/v1/completions", With(request, new { n = 3 }))).GetProperty("choices").EnumerateArray())
            Assert.Equal((text, string.Join(',', logprobs)), (one.GetProperty("text").GetString(), string.Join(',', Raw(one.GetProperty("logprobs").GetProperty("token_logprobs")))));

        JsonElement best = (await server.AskAsync("/v1/completions", With(request, new { best_of = 2 }))).GetProperty("choices")[0];
        Assert.Equal(plain.GetProperty("logprobs").GetRawText(), best.GetProperty("logprobs").GetRawText());

        JsonElement chat = (await server.AskAsync("/v1/chat/completions", new
        {
            model,
            messages = new[] { new { role = "user", content = "Hi" } },
            max_tokens = 20,
            temperature = 0,
            ignore_eos = true,
            logprobs = true,
            top_logprobs = 2,
        })).GetProperty("choices")[0];
        Assert.Equal(text, chat.GetProperty("message").GetProperty("content").GetString());
        Assert.Equal(logprobs, chat.GetProperty("logprobs").GetProperty("content").EnumerateArray().Select(entry => entry.GetProperty("logprob").GetRawText()));

        JsonElement compared = (await server.AskAsync("/v1/compare", new
        {
            models = (string[])[model, "plain", model],
            prompt = Prompt,
            max_tokens = 20,
            temperature = 0,
            ignore_eos = true,
            stop = "\nUser:",
        })).GetProperty("models");
        Assert.All((int[])[0, 2], i => Assert.Equal((text, string.Join(',', logprobs)),
            (compared[i].GetProperty("text").GetString(), string.Join(',', Raw(compared[i].GetProperty("token_logprobs"))))));

        // The answer's tokens as a prompt: what they were generated with is what they are scored with.
        JsonElement tokens = (await server.AskAsync("/tokenize", new { model, prompt = Prompt + text })).GetProperty("tokens");
        JsonElement scored = (await server.AskAsync("/v1/completions", new { model, prompt = tokens, max_tokens = 0, echo = true, logprobs = 2 })).GetProperty("choices")[0];
        string[] ofPrompt = Raw(scored.GetProperty("logprobs").GetProperty("token_logprobs"))[Prompt.Length..];
        Assert.Equal(logprobs.Take(ofPrompt.Length), ofPrompt);

        JsonElement judged = (await server.AskAsync("/v1/compare", new { models = (string[])[model], text = Prompt + text })).GetProperty("models")[0];
        Assert.Equal(ofPrompt, Raw(judged.GetProperty("token_logprobs"))[Prompt.Length..]);
    }

    private async Task<string> AnswerAsync(int i) => (await server.AskAsync("/v1/completions", new
    {
        model = "plain",
        prompt = $"same start {i:0000}:",
        max_tokens = 20,
        temperature = 0.9,
        seed = i,
        echo = true,
        logprobs = 1,
        ignore_eos = true,
    })).GetProperty("choices").GetRawText();

    private static Dictionary<string, object?> With(object request, object more) => new[] { request, more }
        .SelectMany(part => part.GetType().GetProperties().Select(property => (property.Name, Value: property.GetValue(part))))
        .ToDictionary(pair => pair.Name, pair => pair.Value);

    [GeneratedRegex("start [0-9]{4}")]
    private static partial Regex Canary();

    private static string[] Raw(JsonElement list) => [.. list.EnumerateArray().Select(entry => entry.GetRawText())];
}

using System.Text.Json;
using Serving.Server.Tests.Hosting;

namespace Serving.Server.Tests.Completions;

public sealed class CompletionContractTests(SmallServer small) : IClassFixture<SmallServer>
{
    private static readonly string[] ChunkFields =
        ["id", "object", "created", "model", "system_fingerprint", "choices", "usage"];

    private static readonly string[] SpecialTokens = ["<pad>", "<s>", "</s>", "<unk>"];

    [Fact]
    public async Task Completion_Whole_HasOpenAisShape()
    {
        JsonElement answer = await small.Server.CompleteJsonAsync("""{"model":"plain","prompt":"Hello","temperature":0,"ignore_eos":true}""");
        Assert.Equal(ChunkFields, answer.EnumerateObject().Select(property => property.Name));
        Assert.StartsWith("cmpl-", answer.GetProperty("id").GetString(), StringComparison.Ordinal);
        Assert.Equal("text_completion", answer.GetProperty("object").GetString());
        Assert.Equal("plain", answer.GetProperty("model").GetString());
        Assert.Matches("^fp_[0-9a-f]{12}$", answer.GetProperty("system_fingerprint").GetString());
        JsonElement choice = answer.GetProperty("choices").EnumerateArray().Single();
        Assert.Equal(["index", "text", "logprobs", "finish_reason"], choice.EnumerateObject().Select(property => property.Name));
        Assert.Equal("length", choice.GetProperty("finish_reason").GetString());
        JsonElement usage = answer.GetProperty("usage");
        Assert.Equal((5, 16, 21), (usage.GetProperty("prompt_tokens").GetInt32(),
            usage.GetProperty("completion_tokens").GetInt32(), usage.GetProperty("total_tokens").GetInt32()));
        Assert.Equal(JsonValueKind.Number, usage.GetProperty("prompt_tokens_details").GetProperty("cached_tokens").ValueKind);
    }

    // The checkpoint's own golden logits decide: the reference implementation wrote them.
    [Fact]
    public async Task Completion_Greedy_PicksTheGoldenArgmax()
    {
        using JsonDocument golden = JsonDocument.Parse(await File.ReadAllTextAsync(Testing.TestData.Path("checkpoints", "plain", "golden.json")));
        foreach (JsonElement sample in golden.RootElement.GetProperty("cases").EnumerateArray())
        {
            float[] logits = [.. sample.GetProperty("last_logits").EnumerateArray().Select(value => value.GetSingle())];
            int best = Array.IndexOf(logits, logits.Max());
            string ids = sample.GetProperty("ids").GetRawText();
            if (sample.GetProperty("ids").GetArrayLength() >= 48)
                continue;
            JsonElement answer = await small.Server.CompleteJsonAsync(
                $$"""{"model":"plain","prompt":{{ids}},"max_tokens":1,"temperature":0,"logprobs":0,"ignore_eos":true}""");
            string token = answer.GetProperty("choices")[0].GetProperty("logprobs").GetProperty("tokens")[0].GetString()!;
            Assert.Equal(best < 4 ? SpecialTokens[best] : ((char)(32 + best - 4)).ToString(), token);
        }
    }

    [Fact]
    public async Task TokenIds_AskedFor_AreTheIdsOfPromptAndAnswer()
    {
        const string Body = """{"model":"plain","prompt":["Hi","{}"],"max_tokens":12,"temperature":1,"seed":4,"ignore_eos":true,"logprobs":0,"return_token_ids":true""";
        JsonElement[] choices = [.. (await small.Server.CompleteJsonAsync(Body + "}")).GetProperty("choices").EnumerateArray()];
        Assert.Equal([[44, 77], [95, 97]], choices.Select(choice => Ids(choice, "prompt_token_ids").ToArray()));
        foreach (JsonElement choice in choices)
        {
            Assert.Equal(12, Ids(choice, "token_ids").Count());
            Assert.Equal(choice.GetProperty("logprobs").GetProperty("tokens").EnumerateArray().Select(token => token.GetString()),
                Ids(choice, "token_ids").Select(id => id < 4 ? SpecialTokens[id] : ((char)(32 + id - 4)).ToString()));
        }

        JsonElement[] chunks = [.. (await small.Server.CompleteEventsAsync(Body + ",\"stream\":true}")).SkipLast(1).Select(data => JsonDocument.Parse(data).RootElement.GetProperty("choices")[0])];
        foreach (JsonElement choice in choices)
        {
            JsonElement[] own = [.. chunks.Where(chunk => chunk.GetProperty("index").GetInt32() == choice.GetProperty("index").GetInt32())];
            Assert.Equal(Ids(choice, "prompt_token_ids"), own.SelectMany(chunk => Ids(chunk, "prompt_token_ids")));
            Assert.Equal(Ids(choice, "token_ids"), own.SelectMany(chunk => Ids(chunk, "token_ids")));
        }

        static IEnumerable<int> Ids(JsonElement choice, string name) =>
            choice.TryGetProperty(name, out JsonElement ids) ? ids.EnumerateArray().Select(id => id.GetInt32()) : [];
    }

    [Theory]
    [InlineData("\"temperature\":0")]
    [InlineData("\"temperature\":1,\"seed\":7")]
    [InlineData("\"temperature\":1.5,\"seed\":3,\"top_k\":20,\"n\":3")]
    [InlineData("\"temperature\":1,\"seed\":1,\"logprobs\":3")]
    [InlineData("\"temperature\":1,\"seed\":2,\"logprobs\":2,\"echo\":true")]
    [InlineData("\"temperature\":0,\"echo\":true")]
    [InlineData("\"temperature\":1.8,\"seed\":5,\"stop\":[\"a\",\"é\",\"Ā\"]")]
    public async Task Stream_Joined_EqualsTheWhole(string options)
    {
        string body = $$"""{"model":"plain","prompt":["Hi","there"],"max_tokens":20,"ignore_eos":true,{{options}}""";
        JsonElement whole = await small.Server.CompleteJsonAsync(body + "}");
        List<string> events = await small.Server.CompleteEventsAsync(body + ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}");

        Assert.Equal("[DONE]", events[^1]);
        Assert.Single(events, "[DONE]");
        JsonElement[] chunks = [.. events.SkipLast(1).Select(data => JsonDocument.Parse(data).RootElement)];
        Assert.All(chunks, chunk => Assert.Equal(ChunkFields, chunk.EnumerateObject().Select(property => property.Name)));
        Assert.Single(chunks.Select(chunk => chunk.GetProperty("id").GetString()).Distinct());
        Assert.All(chunks.SkipLast(1), chunk => Assert.Equal(JsonValueKind.Null, chunk.GetProperty("usage").ValueKind));
        Assert.Empty(chunks[^1].GetProperty("choices").EnumerateArray());
        Assert.Equal(Counts(whole), Counts(chunks[^1]));

        foreach (JsonElement choice in whole.GetProperty("choices").EnumerateArray())
        {
            JsonElement[] pieces = [.. chunks.SelectMany(chunk => chunk.GetProperty("choices").EnumerateArray())
                .Where(piece => piece.GetProperty("index").GetInt32() == choice.GetProperty("index").GetInt32())];
            Assert.Equal(choice.GetProperty("text").GetString(), string.Concat(pieces.Select(piece => piece.GetProperty("text").GetString())));
            Assert.Equal(choice.GetProperty("finish_reason").GetString(), pieces[^1].GetProperty("finish_reason").GetString());
            Assert.All(pieces.SkipLast(1), piece => Assert.Equal(JsonValueKind.Null, piece.GetProperty("finish_reason").ValueKind));
            foreach (string list in (string[])["tokens", "token_logprobs", "top_logprobs", "text_offset"])
                Assert.Equal(Entries([choice], list), Entries(pieces, list));
        }
    }

    [Fact]
    public async Task Stream_WithoutIncludeUsage_SendsNone()
    {
        List<string> events = await small.Server.CompleteEventsAsync("""{"model":"plain","prompt":"x","max_tokens":3,"stream":true}""");
        Assert.All(events.SkipLast(1), data => Assert.Contains("\"usage\":null", data));
        Assert.DoesNotContain(events, data => data.Contains("\"choices\":[]", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Stream_NotAscii_IsReadable()
    {
        // Token 202 is U+00E6; the bias makes it certain.
        List<string> events = await small.Server.CompleteEventsAsync(
            """{"model":"plain","prompt":"x","max_tokens":2,"temperature":0,"stream":true,"logit_bias":{"202":100}}""");
        Assert.Contains("\"text\":\"æ\"", events[0]);
    }

    [Theory]
    [InlineData("\"Hi\"", 1)]
    [InlineData("[\"Hi\",\"ho\",\"ha\"]", 3)]
    [InlineData("[44,77]", 1)]
    [InlineData("[[44,77],[5]]", 2)]
    public async Task Completion_EveryPromptForm_AnswersPromptMajor(string prompt, int prompts)
    {
        JsonElement answer = await small.Server.CompleteJsonAsync(
            $$"""{"model":"plain","prompt":{{prompt}},"n":2,"max_tokens":4,"seed":1,"echo":true,"ignore_eos":true}""");
        JsonElement[] choices = [.. answer.GetProperty("choices").EnumerateArray()];
        Assert.Equal(Enumerable.Range(0, prompts * 2), choices.Select(choice => choice.GetProperty("index").GetInt32()));
        Assert.Equal(prompts * 2 * 4, answer.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        for (int i = 0; i < choices.Length; i += 2)
        {
            string first = choices[i].GetProperty("text").GetString()!, second = choices[i + 1].GetProperty("text").GetString()!;
            Assert.Equal(first[..1], second[..1]);
            Assert.NotEqual(first, second);
        }
    }

    [Fact]
    public async Task Completion_TextAndItsIds_AnswerTheSame()
    {
        JsonElement text = await small.Server.CompleteJsonAsync("""{"model":"plain","prompt":"Hi","seed":4}""");
        JsonElement ids = await small.Server.CompleteJsonAsync("""{"model":"plain","prompt":[44,77],"seed":4}""");
        Assert.Equal(text.GetProperty("choices").GetRawText(), ids.GetProperty("choices").GetRawText());
    }

    [Fact]
    public async Task Completion_SpecialTokens_AreCharactersUnlessAskedFor()
    {
        JsonElement text = await small.Server.CompleteJsonAsync("""{"model":"plain","prompt":"<s>a","max_tokens":1}""");
        JsonElement parsed = await small.Server.CompleteJsonAsync("""{"model":"plain","prompt":"<s>a","max_tokens":1,"special_tokens":"parse"}""");
        Assert.Equal(4, text.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());
        Assert.Equal(2, parsed.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task Completion_EchoWithLogprobs_ScoresThePromptAsTheEvaluationHarnessReadsIt(int maxTokens)
    {
        JsonElement answer = await small.Server.CompleteJsonAsync(
            $$"""{"model":"plain","prompt":[44,77,20,21],"max_tokens":{{maxTokens}},"echo":true,"logprobs":1,"temperature":0}""");
        JsonElement logprobs = answer.GetProperty("choices")[0].GetProperty("logprobs");
        JsonElement[] token = [.. logprobs.GetProperty("token_logprobs").EnumerateArray()];
        JsonElement[] top = [.. logprobs.GetProperty("top_logprobs").EnumerateArray()];
        Assert.Equal(4 + maxTokens, token.Length);
        Assert.Equal(4 + maxTokens, top.Length);
        Assert.Equal(JsonValueKind.Null, token[0].ValueKind);
        Assert.Equal(JsonValueKind.Null, top[0].ValueKind);
        Assert.All(token.Skip(1), logprob => Assert.True(logprob.GetSingle() < 0));
        Assert.Equal(["H", "i", "0", "1"], logprobs.GetProperty("tokens").EnumerateArray().Take(4).Select(text => text.GetString()));
        Assert.Equal([0, 1, 2, 3], logprobs.GetProperty("text_offset").EnumerateArray().Take(4).Select(offset => offset.GetInt32()));
        if (maxTokens == 1)
            Assert.Equal(token[4].GetSingle(), top[4].EnumerateObject().Max(entry => entry.Value.GetSingle()));
        Assert.StartsWith("Hi01", answer.GetProperty("choices")[0].GetProperty("text").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Completion_StopText_IsNotPartOfTheAnswer()
    {
        JsonElement free = await small.Server.CompleteJsonAsync("""{"model":"plain","prompt":"Hi","temperature":1,"seed":9,"max_tokens":20,"ignore_eos":true}""");
        string text = free.GetProperty("choices")[0].GetProperty("text").GetString()!;
        string stop = JsonSerializer.Serialize(text[10..12]);
        JsonElement stopped = await small.Server.CompleteJsonAsync(
            $$"""{"model":"plain","prompt":"Hi","temperature":1,"seed":9,"max_tokens":20,"ignore_eos":true,"stop":{{stop}}}""");
        Assert.Equal(text[..text.IndexOf(text[10..12], StringComparison.Ordinal)], stopped.GetProperty("choices")[0].GetProperty("text").GetString());
        Assert.Equal("stop", stopped.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("\"prompt\":null,")]
    public async Task Completion_NoPrompt_BeginsANewText(string prompt)
    {
        string rest = "\"max_tokens\":5,\"temperature\":0,\"ignore_eos\":true,\"echo\":true";
        JsonElement free = await small.Server.CompleteJsonAsync($"{{\"model\":\"plain\",{prompt}{rest}}}");
        JsonElement begun = await small.Server.CompleteJsonAsync($"{{\"model\":\"plain\",\"prompt\":[1],{rest}}}");
        Assert.Equal(1, free.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());
        Assert.Equal(begun.GetProperty("choices")[0].GetProperty("text").GetString(), "<s>" + free.GetProperty("choices")[0].GetProperty("text").GetString());
    }

    // With one seed the candidates are the answers that n = 6 would give, so their scores are known.
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Completion_BestOf_ReturnsTheAnswersOfTheHighestMeanLogprob(int answers)
    {
        const string Body = """{"model":"plain","prompt":["Hi","ho"],"max_tokens":9,"seed":5,"temperature":1.5,"logprobs":0""";
        JsonElement all = await small.Server.CompleteJsonAsync(Body + ",\"n\":6}");
        JsonElement best = await small.Server.CompleteJsonAsync(Body + $",\"n\":{answers},\"best_of\":6}}");
        string[] expected = [.. all.GetProperty("choices").EnumerateArray().Chunk(6).SelectMany(candidates => candidates
            .OrderByDescending(MeanLogprob).Take(answers)).Select(choice => choice.GetProperty("text").GetString()!)];
        JsonElement[] choices = [.. best.GetProperty("choices").EnumerateArray()];
        Assert.Equal(expected, choices.Select(choice => choice.GetProperty("text").GetString()));
        Assert.Equal(Enumerable.Range(0, 2 * answers), choices.Select(choice => choice.GetProperty("index").GetInt32()));
        Assert.Equal(Counts(all), Counts(best));
        JsonElement silent = await small.Server.CompleteJsonAsync(
            Body.Replace(",\"logprobs\":0", "", StringComparison.Ordinal) + $",\"n\":{answers},\"best_of\":6}}");
        Assert.All(silent.GetProperty("choices").EnumerateArray(), choice => Assert.Equal(JsonValueKind.Null, choice.GetProperty("logprobs").ValueKind));
        Assert.Equal(expected, silent.GetProperty("choices").EnumerateArray().Select(choice => choice.GetProperty("text").GetString()));
    }

    [Fact]
    public async Task Completion_EndOfText_EndsUnlessIgnoredOrTooEarly()
    {
        // The bias makes the end-of-text token, 2, certain.
        const string Body = """{"model":"plain","prompt":"Hi","max_tokens":6,"temperature":0,"logit_bias":{"2":100}""";
        await AssertEndAsync(Body + "}", "stop", 1);
        await AssertEndAsync(Body + ",\"ignore_eos\":true}", "length", 6);
        await AssertEndAsync(Body + ",\"min_tokens\":4}", "stop", 5);
        await AssertEndAsync(Body + ",\"min_tokens\":6}", "length", 6);
    }

    [Fact]
    public async Task Completion_StopTokenIds_EndTheAnswerAndHaveNoText()
    {
        // Token 37 is "A".
        const string Body = """{"model":"plain","prompt":"Hi","max_tokens":6,"temperature":0,"logit_bias":{"37":100}""";
        await AssertEndAsync(Body + "}", "length", 6, "AAAAAA");
        await AssertEndAsync(Body + ",\"stop_token_ids\":[5,37]}", "stop", 1, "");
        await AssertEndAsync(Body + ",\"stop_token_ids\":[37],\"ignore_eos\":true}", "stop", 1, "");
        await AssertEndAsync(Body + ",\"stop\":\"AA\",\"min_tokens\":3}", "stop", 4, "AA");
    }

    private async Task AssertEndAsync(string body, string reason, int tokens, string? text = null)
    {
        JsonElement answer = await small.Server.CompleteJsonAsync(body);
        JsonElement choice = answer.GetProperty("choices")[0];
        Assert.Equal((reason, tokens), (choice.GetProperty("finish_reason").GetString(), answer.GetProperty("usage").GetProperty("completion_tokens").GetInt32()));
        Assert.Equal(text ?? choice.GetProperty("text").GetString(), choice.GetProperty("text").GetString());
    }

    private static double MeanLogprob(JsonElement choice) =>
        choice.GetProperty("logprobs").GetProperty("token_logprobs").EnumerateArray().Average(logprob => logprob.GetDouble());

    private static string Counts(JsonElement answer) => string.Join(' ',
        ((string[])["prompt_tokens", "completion_tokens", "total_tokens"]).Select(name => answer.GetProperty("usage").GetProperty(name).GetRawText()));

    private static List<string> Entries(IEnumerable<JsonElement> choices, string list) =>
        [.. choices.Select(choice => choice.GetProperty("logprobs")).Where(logprobs => logprobs.ValueKind != JsonValueKind.Null)
            .SelectMany(logprobs => logprobs.GetProperty(list).EnumerateArray()).Select(entry => entry.GetRawText())];
}

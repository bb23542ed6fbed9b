using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Serving.Server.Tests.Ensembles;
using Serving.Server.Tests.Hosting;

namespace Serving.Server.Tests.Comparisons;

public sealed class CompareTests(ExpertsServer experts) : IClassFixture<ExpertsServer>
{
    private const string Text = "Hello, how are you?";

    private readonly RunningServer _server = experts.Server;

    [Fact]
    public async Task Compare_Prompt_GivesEachModelsOwnAnswer()
    {
        const string Sampling = "\"prompt\":\"Hello\",\"max_tokens\":30,\"temperature\":2,\"seed\":5,\"ignore_eos\":true";
        string[] models = ["a", "b", "a+b", "mostly-b"];
        JsonElement compared = await CompareAsync($$"""{"models":["a","b","a+b","mostly-b"],{{Sampling}}}""");
        JsonElement[] entries = [.. compared.GetProperty("models").EnumerateArray()];
        Assert.Equal(models, entries.Select(entry => entry.GetProperty("model").GetString()));
        for (int i = 0; i < models.Length; i++)
        {
            JsonElement alone = (await _server.CompleteJsonAsync($$"""{"model":"{{models[i]}}",{{Sampling}},"logprobs":0}""")).GetProperty("choices")[0];
            Assert.Equal(alone.GetProperty("text").GetString(), entries[i].GetProperty("text").GetString());
            Assert.Equal(alone.GetProperty("logprobs").GetProperty("tokens").GetRawText(), entries[i].GetProperty("tokens").GetRawText());
            Assert.Equal(alone.GetProperty("logprobs").GetProperty("token_logprobs").GetRawText(), entries[i].GetProperty("token_logprobs").GetRawText());
            Assert.Equal("length", entries[i].GetProperty("finish_reason").GetString());
            Assert.True(entries[i].GetProperty("timing").GetProperty("total_seconds").GetDouble() > 0);
        }
        int[][] ids = [.. entries.Select(entry => entry.GetProperty("token_ids").EnumerateArray().Select(id => id.GetInt32()).ToArray())];
        int divergence = Enumerable.Range(0, 30).First(i => ids.Any(each => each[i] != ids[0][i]));
        Assert.Equal(divergence, compared.GetProperty("first_divergence").GetInt32());
    }

    [Fact]
    public async Task Compare_OneExpertInTwoGuises_NeverDiverges()
    {
        JsonElement compared = await CompareAsync("""{"models":["a","a+a"],"prompt":"Hello","max_tokens":8,"ignore_eos":true}""");
        Assert.Equal(JsonValueKind.Null, compared.GetProperty("first_divergence").ValueKind);
    }

    [Fact]
    public async Task Compare_Text_GivesTheScoresOfCompletions()
    {
        string[] models = ["b", "a", "a+b", "mostly-b"];
        JsonElement compared = await CompareAsync($$"""{"models":["b","a","a+b","mostly-b"],"text":"{{Text}}"}""");
        JsonElement[] entries = [.. compared.GetProperty("models").EnumerateArray()];
        Assert.Equal(models, entries.Select(entry => entry.GetProperty("model").GetString()));
        for (int i = 0; i < models.Length; i++)
        {
            JsonElement scored = (await _server.CompleteJsonAsync(
                $$"""{"model":"{{models[i]}}","prompt":"{{Text}}","max_tokens":0,"echo":true,"logprobs":0}""")).GetProperty("choices")[0].GetProperty("logprobs");
            Assert.Equal(scored.GetProperty("tokens").GetRawText(), entries[i].GetProperty("tokens").GetRawText());
            Assert.Equal(scored.GetProperty("token_logprobs").GetRawText(), entries[i].GetProperty("token_logprobs").GetRawText());
            double sum = scored.GetProperty("token_logprobs").EnumerateArray().Skip(1).Sum(logprob => logprob.GetDouble());
            int counted = scored.GetProperty("tokens").GetArrayLength() - 1;
            int characters = string.Concat(scored.GetProperty("tokens").EnumerateArray().Skip(1).Select(token => token.GetString())).Length;
            Assert.Equal(sum, entries[i].GetProperty("log_probability").GetDouble(), 1e-4);
            Assert.Equal(Math.Exp(-sum / counted), entries[i].GetProperty("perplexity").GetDouble(), 1e-2);
            Assert.Equal(-sum / Math.Log(2) / characters, entries[i].GetProperty("bits_per_character").GetDouble(), 1e-4);
            Assert.False(entries[i].TryGetProperty("leave_one_out", out _));
        }
        Assert.Equal(["b:a", "b:a+b", "b:mostly-b", "a:a+b", "a:mostly-b", "a+b:mostly-b"], compared.GetProperty("pairs").EnumerateArray()
            .Select(pair => $"{pair.GetProperty("a").GetString()}:{pair.GetProperty("b").GetString()}"));
        Assert.All(compared.GetProperty("pairs").EnumerateArray(), pair => Assert.True(
            pair.GetProperty("kl").GetDouble() > 0 && pair.GetProperty("js").GetDouble() is > 0 and < 0.6932));
    }

    [Fact]
    public async Task Compare_LeaveOneOut_GivesTheOthersAlone()
    {
        JsonElement compared = await CompareAsync(
            $$"""{"models":["a","b","a+b+b","mostly-b","a+b"],"text":"{{Text}}","leave_one_out":true}""");
        JsonElement[] entries = [.. compared.GetProperty("models").EnumerateArray()];
        Assert.False(entries[0].TryGetProperty("leave_one_out", out _));
        JsonElement[] three = [.. entries[2].GetProperty("leave_one_out").EnumerateArray()];
        Assert.Equal(["a", "b", "b"], three.Select(without => without.GetProperty("without").GetString()));
        Assert.Equal(Scores(entries[1]), Scores(three[0]));
        Assert.Equal(Scores(entries[4]), Scores(three[1]));
        JsonElement[] two = [.. entries[3].GetProperty("leave_one_out").EnumerateArray()];
        Assert.Equal((Scores(entries[1]), Scores(entries[0])), (Scores(two[0]), Scores(two[1])));
    }

    [Fact]
    public async Task Compare_TextOfTwoTokenizers_ScoresEachAndPairsNone()
    {
        JsonElement compared = await CompareAsync($$"""{"models":["a","stranger"],"text":"{{Text}}"}""");
        Assert.Equal(2, compared.GetProperty("models").GetArrayLength());
        Assert.Equal(0, compared.GetProperty("pairs").GetArrayLength());
    }

    [Theory]
    [InlineData("""{"models":["a","b"]}""", 400, "invalid_value", "prompt")]
    [InlineData("""{"models":["a","b"],"prompt":"x","text":"xx"}""", 400, "invalid_value", "prompt")]
    [InlineData("""{"models":["a"],"prompt":"x"}""", 400, "invalid_value", "models")]
    [InlineData("""{"models":[],"text":"xx"}""", 400, "invalid_value", "models")]
    [InlineData("""{"text":"xx"}""", 400, "invalid_value", "models")]
    [InlineData("""{"models":["a","a","a","a","a","a","a","a","a"],"text":"xx"}""", 400, "invalid_value", "models")]
    [InlineData("""{"models":["a","b"],"prompt":["x","y"]}""", 400, "invalid_value", "prompt")]
    [InlineData("""{"models":["a"],"text":"xx","temperature":1}""", 400, "unsupported_parameter", "temperature")]
    [InlineData("""{"models":["a","b"],"prompt":"x","leave_one_out":true}""", 400, "unsupported_parameter", "leave_one_out")]
    [InlineData("""{"models":["a","b"],"prompt":"x","temperature":3}""", 400, "invalid_value", "temperature")]
    [InlineData("""{"models":["a"],"text":""}""", 400, "invalid_value", "text")]
    [InlineData("""{"models":["a","nope"],"text":"xx"}""", 404, "model_not_found", "models[1]")]
    [InlineData("""{"models":["a","nope"],"prompt":"x"}""", 404, "model_not_found", "models[1]")]
    [InlineData("""{"models":["a","a+stranger"],"text":"xx"}""", 409, "incompatible_experts", "models[1]")]
    [InlineData("""{"models":["a","broken"],"text":"xx"}""", 503, "member_unavailable", "models[1]")]
    public async Task Compare_RequestThatCannotBe_IsRefused(string body, int status, string code, string param)
    {
        using HttpResponseMessage response = await PostAsync(body);
        JsonElement error = (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error");
        Assert.Equal((status, code, param),
            ((int)response.StatusCode, error.GetProperty("code").GetString(), error.GetProperty("param").GetString()));
    }

    [Fact]
    public async Task Compare_TextLongerThanTheContext_IsRefused()
    {
        using HttpResponseMessage response = await PostAsync($$"""{"models":["a"],"text":"{{new string('.', 500)}}"}""");
        Assert.Contains("context_length_exceeded", await response.Content.ReadAsStringAsync());
    }

    private static string Scores(JsonElement entry) =>
        $"{entry.GetProperty("log_probability")} {entry.GetProperty("token_logprobs")}";

    private async Task<JsonElement> CompareAsync(string body)
    {
        using HttpResponseMessage response = await PostAsync(body);
        JsonElement answer = await response.Content.ReadFromJsonAsync<JsonElement>();
        Assert.True(response.IsSuccessStatusCode, answer.GetRawText());
        return answer;
    }

    private Task<HttpResponseMessage> PostAsync(string body) =>
        _server.Client.PostAsync("/v1/compare", new StringContent(body, Encoding.UTF8, "application/json"));
}

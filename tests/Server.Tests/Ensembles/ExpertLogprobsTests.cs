using System.Net;
using System.Text.Json;
using Serving.Server.Tests.Hosting;
using Serving.Server.Tests.Telemetry;

namespace Serving.Server.Tests.Ensembles;

public sealed class ExpertLogprobsTests(ExpertsServer experts) : IClassFixture<ExpertsServer>
{
    private const string Request = """ "prompt":"Hello","max_tokens":5,"seed":3,"logprobs":1,"ignore_eos":true """;

    private readonly RunningServer _server = experts.Server;

    [Theory]
    [InlineData("both", 0.5, 0.5)]
    [InlineData("a+b", 0.5, 0.5)]
    [InlineData("mostly-b", 0.25, 0.75)]
    public async Task Completion_OfAnEnsemble_TellsWhoCarriedEachToken(string model, double a, double b)
    {
        JsonElement choice = await ChooseAsync($$"""{"model":"{{model}}",{{Request}},"expert_logprobs":true}""");
        JsonElement told = choice.GetProperty("expert_logprobs");
        Assert.Equal(["a", "b"], told.GetProperty("experts").EnumerateArray().Select(expert => expert.GetString()));
        double[] combined = [.. choice.GetProperty("logprobs").GetProperty("token_logprobs").EnumerateArray().Select(logprob => logprob.GetDouble())];
        Assert.Equal(5, combined.Length);
        for (int i = 0; i < combined.Length; i++)
        {
            double[] alone = [.. told.GetProperty("token_logprobs")[i].EnumerateArray().Select(logprob => logprob.GetDouble())];
            Assert.Equal(2, told.GetProperty("top_tokens")[i].GetArrayLength());
            Assert.InRange(told.GetProperty("disagreement")[i].GetDouble(), 0, -(a * Math.Log(a)) - (b * Math.Log(b)));
            if (model == "mostly-b")
                Assert.Equal(Math.Log((a * Math.Exp(alone[0])) + (b * Math.Exp(alone[1]))), combined[i], 1e-5);
        }
        Assert.Equal(5, told.GetProperty("disagreement").GetArrayLength());
    }

    // An expert alone, given the ensemble's text, must say what the ensemble says that it said.
    [Fact]
    public async Task Completion_OfAnEnsemble_RepeatsWhatTheExpertsSayAlone()
    {
        JsonElement choice = await ChooseAsync($$"""{"model":"a+b",{{Request}},"expert_logprobs":true}""");
        string text = choice.GetProperty("text").GetString()!;
        JsonElement told = choice.GetProperty("expert_logprobs");
        string[] experts = ["a", "b"];
        for (int expert = 0; expert < experts.Length; expert++)
        {
            JsonElement alone = await ChooseAsync(JsonSerializer.Serialize(
                new { model = experts[expert], prompt = "Hello" + text, max_tokens = 0, echo = true, logprobs = 1 }));
            JsonElement[] logprobs = [.. alone.GetProperty("logprobs").GetProperty("token_logprobs").EnumerateArray()];
            JsonElement[] tops = [.. alone.GetProperty("logprobs").GetProperty("top_logprobs").EnumerateArray()];
            for (int i = 0; i < 5; i++)
            {
                int at = logprobs.Length - 5 + i;
                Assert.Equal(logprobs[at].GetSingle(), told.GetProperty("token_logprobs")[i][expert].GetSingle());
                Assert.Contains(tops[at].EnumerateObject(), top => top.Name == told.GetProperty("top_tokens")[i][expert].GetString());
            }
        }
    }

    [Fact]
    public async Task Completion_Streamed_TellsTheSame()
    {
        JsonElement whole = (await ChooseAsync($$"""{"model":"both",{{Request}},"expert_logprobs":true}""")).GetProperty("expert_logprobs");
        List<string> events = await _server.CompleteEventsAsync($$"""{"model":"both",{{Request}},"expert_logprobs":true,"stream":true}""");
        JsonElement[] pieces = [.. events.SkipLast(1).Select(data => JsonSerializer.Deserialize<JsonElement>(data).GetProperty("choices")[0])
            .Where(choice => choice.TryGetProperty("expert_logprobs", out _)).Select(choice => choice.GetProperty("expert_logprobs"))];
        Assert.Equal(5, pieces.Length);
        foreach (string list in (string[])["token_logprobs", "top_tokens", "disagreement"])
        {
            Assert.Equal(whole.GetProperty(list).EnumerateArray().Select(entry => entry.GetRawText()),
                pieces.Select(piece => piece.GetProperty(list)[0].GetRawText()));
        }
    }

    [Fact]
    public async Task Metrics_AfterAttribution_TellTheDisagreement()
    {
        Exposition before = await ScrapeAsync();
        JsonElement choice = await ChooseAsync($$"""{"model":"mostly-b",{{Request}},"expert_logprobs":true}""");
        Exposition after = await ScrapeAsync();
        double told = choice.GetProperty("expert_logprobs").GetProperty("disagreement").EnumerateArray().Sum(each => each.GetDouble());
        Assert.Equal(5, Growth("serving_ensemble_attributed_tokens_total"));
        Assert.Equal(told, Growth("serving_ensemble_disagreement_total"), 1e-9);
        Assert.True(told > 0);

        double Growth(string name) => after.Sum(name) - before.Sum(name);
    }

    [Fact]
    public async Task Completion_NotAsked_SaysNothing() =>
        Assert.False((await ChooseAsync($$"""{"model":"both",{{Request}}}""")).TryGetProperty("expert_logprobs", out _));

    [Fact]
    public async Task Completion_OfASingleModel_IsRefused()
    {
        using HttpResponseMessage response = await _server.CompleteAsync($$"""{"model":"a",{{Request}},"expert_logprobs":true}""");
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains("unsupported_parameter", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Completion_Answer_NamesItsWeights()
    {
        JsonElement named = (await _server.CompleteJsonAsync("""{"model":"mostly-b","prompt":"x"}""")).GetProperty("ensemble");
        Assert.Equal("""{"experts":[{"model":"a","weight":1},{"model":"b","weight":3}],"combine":"probs","version":1}""", named.GetRawText());
        JsonElement sum = (await _server.CompleteJsonAsync("""{"model":"a+b","prompt":"x"}""")).GetProperty("ensemble");
        Assert.Equal("""{"experts":[{"model":"a","weight":1},{"model":"b","weight":1}],"combine":"logits"}""", sum.GetRawText());
        Assert.False((await _server.CompleteJsonAsync("""{"model":"a","prompt":"x"}""")).TryGetProperty("ensemble", out _));
    }

    private async Task<Exposition> ScrapeAsync() => Exposition.Parse(await _server.Client.GetStringAsync("/metrics"));

    private async Task<JsonElement> ChooseAsync(string body)
    {
        JsonElement answer = await _server.CompleteJsonAsync(body);
        Assert.True(answer.TryGetProperty("choices", out JsonElement choices), answer.GetRawText());
        return choices[0];
    }
}

using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Serving.Glyphs.Tokens;
using Serving.Inference;
using Serving.Server.Ensembles;
using Serving.Server.Models;
using Serving.Server.Tests.Hosting;
using Serving.Testing;

namespace Serving.Server.Tests.Ensembles;

public sealed class EnsembleFlowTests(ExpertsServer experts) : IClassFixture<ExpertsServer>
{
    private const string Both = """ "ensemble":{"experts":[{"model":"a","weight":0.5},{"model":"b","weight":0.5}],"combine":"logits"} """;

    private static readonly string[] Different =
    [
        """ "model":"a" """, """ "model":"a+b" """, """ "model":"b+a" """, """ "model":"mostly-b" """, """ "model":"a+a" """,
        """ "ensemble":{"experts":[{"model":"a"},{"model":"b","weight":3}]} """,
    ];

    private readonly RunningServer _server = experts.Server;

    [Fact]
    public async Task Completion_NamedSumOrOfTheRequest_AnswersTheSame()
    {
        JsonElement named = await ScoreAsync(""" "model":"both" """);
        JsonElement sum = await ScoreAsync(""" "model":"a+b" """);
        JsonElement own = await ScoreAsync(Both);
        Assert.Equal("both", named.GetProperty("model").GetString());
        Assert.Equal("a+b", sum.GetProperty("model").GetString());
        Assert.Equal("0.5*a+0.5*b", own.GetProperty("model").GetString());
        Assert.Equal(Choices(named), Choices(sum));
        Assert.Equal(Choices(named), Choices(own));
        Assert.Equal(Fingerprint(named), Fingerprint(sum));
        Assert.Equal(Fingerprint(named), Fingerprint(own));
    }

    [Theory]
    [InlineData(""" "model":"a+a+a" """)]
    [InlineData(""" "ensemble":{"experts":[{"model":"a","weight":0.3},{"model":"a","weight":0.1}],"combine":"probs"} """)]
    [InlineData(""" "ensemble":{"experts":[{"model":"a"},{"model":"b","weight":0}]} """)]
    [InlineData(""" "ensemble":{"experts":[{"model":"a"}]} """)]
    [InlineData(""" "ensemble":{"experts":[{"model":"a","weight":1},{"model":"b","weight":0},{"model":"b","weight":0}],"combine":"logits"} """)]
    [InlineData(""" "ensemble":{"experts":[{"model":"a","weight":7},{"model":"a","weight":0.1},{"model":"a","weight":1e-3}],"combine":"logits"} """)]
    public async Task Completion_OneExpertInEffect_AnswersAsItDoes(string model) =>
        Assert.Equal(Choices(await ScoreAsync(""" "model":"a" """)), Choices(await ScoreAsync(model)));

    [Fact]
    public async Task Completion_MeanOfProbabilities_IsThatOfTheMembersAnswers()
    {
        double[] a = Probabilities(await ScoreAsync(""" "model":"a" """, maxTokens: 0));
        double[] b = Probabilities(await ScoreAsync(""" "model":"b" """, maxTokens: 0));
        double[] mean = Probabilities(await ScoreAsync(""" "model":"mostly-b" """, maxTokens: 0));
        Assert.Equal(4, mean.Length);
        for (int i = 0; i < mean.Length; i++)
            Assert.Equal((0.25 * a[i]) + (0.75 * b[i]), mean[i], 1e-6);
    }

    [Fact]
    public async Task Completion_OtherWeightsOrRule_ChangesTheFingerprint()
    {
        string[] fingerprints = [.. await Task.WhenAll(Different.Select(async model => Fingerprint(await ScoreAsync(model))))];
        Assert.Equal(fingerprints.Length, fingerprints.Distinct().Count());
    }

    [Fact]
    public async Task Completion_InACrowdOfModelsAndEnsembles_AnswersAsAlone()
    {
        string[] models = [""" "model":"a" """, """ "model":"b" """, """ "model":"a+b" """, """ "model":"both" """, """ "model":"mostly-b" """, Both];
        var alone = new List<string>();
        foreach (string model in models)
            alone.Add(Choices(await ScoreAsync(model)));
        JsonElement[] crowd = await Task.WhenAll(Enumerable.Range(0, 4).SelectMany(_ => models).Select(model => ScoreAsync(model)));
        for (int i = 0; i < crowd.Length; i++)
            Assert.Equal(alone[i % models.Length], Choices(crowd[i]));
    }

    [Theory]
    [InlineData("\"model\":\"a+nope\"", 404, "model_not_found", "model", "'nope'")]
    [InlineData("\"model\":\"a+\"", 404, "model_not_found", "model", "''")]
    [InlineData("\"model\":\"a+both\"", 404, "model_not_found", "model", "'both'")]
    [InlineData("\"model\":\"a+a+a+a+a+a+a+a+a\"", 400, "invalid_value", "model", "up to 8")]
    [InlineData("\"model\":\"a+stranger\"", 409, "incompatible_experts", "model", "'stranger' has 256 tokens of tokenizer sha256:")]
    [InlineData("\"model\":\"mixed\"", 409, "incompatible_experts", "model", "'a' has 256 tokens of tokenizer sha256:")]
    [InlineData("\"model\":\"a+broken\"", 503, "member_unavailable", "model", "'broken'")]
    [InlineData("\"model\":\"incomplete\"", 503, "member_unavailable", "model", "'absent'")]
    [InlineData("\"ensemble\":{\"experts\":[{\"model\":\"nope\"}]}", 404, "model_not_found", "ensemble", "'nope'")]
    [InlineData("\"ensemble\":{\"experts\":[{\"model\":\"a\"},{\"model\":\"stranger\",\"weight\":0}]}", 409, "incompatible_experts", "ensemble", "'stranger'")]
    [InlineData("\"ensemble\":{\"experts\":[{\"model\":\"broken\",\"weight\":0},{\"model\":\"a\"}]}", 503, "member_unavailable", "ensemble", "'broken'")]
    [InlineData("\"model\":\"a\",\"ensemble\":{\"experts\":[{\"model\":\"a\"}]}", 400, "invalid_value", "ensemble", "instead of 'model'")]
    [InlineData("\"ensemble\":{}", 400, "invalid_value", "ensemble.experts", "1 to 8 experts; 0 was given")]
    [InlineData("\"ensemble\":{\"experts\":[null]}", 400, "invalid_value", "ensemble.experts[0].model", "the id of a model")]
    [InlineData("\"ensemble\":{\"experts\":[{\"model\":\"a\",\"weight\":-1}]}", 400, "invalid_value", "ensemble.experts[0].weight", "; -1 was given")]
    [InlineData("\"ensemble\":{\"experts\":[{\"model\":\"a\",\"weight\":1e999}]}", 400, "invalid_value", "ensemble.experts[0].weight", "double precision")]
    [InlineData("\"ensemble\":{\"experts\":[{\"model\":\"a\",\"weight\":0}]}", 400, "invalid_value", "ensemble.experts", "above 0")]
    [InlineData("\"ensemble\":{\"experts\":[{\"model\":\"a\"}],\"combine\":\"max\"}", 400, "invalid_value", "ensemble.combine", "\"logits\" or \"probs\"")]
    [InlineData("\"ensemble\":{\"experts\":\"a\"}", 400, "invalid_value", "ensemble.experts", "'ensemble.experts' must be")]
    public async Task Completion_EnsembleThatCannotBe_IsRefused(string model, int status, string code, string param, string message)
    {
        using HttpResponseMessage response = await _server.CompleteAsync($$"""{{{model}},"prompt":"x"}""");
        JsonElement error = (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error");
        Assert.Equal((status, code, param),
            ((int)response.StatusCode, error.GetProperty("code").GetString(), error.GetProperty("param").GetString()));
        Assert.Contains(message, error.GetProperty("message").GetString());
    }

    [Fact]
    public async Task Completion_UnknownFieldOfAnEnsemble_IsRefusedWhenStrict()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions")
        {
            Content = JsonContent.Create(new { prompt = "x", ensemble = new { experts = new[] { new { model = "a", wait = 1 } } } }),
            Headers = { { "X-Strict", "1" } },
        };
        using HttpResponseMessage response = await _server.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains("\"param\":\"ensemble.experts[0].wait\"", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Models_List_DescribesNamedEnsembles()
    {
        JsonElement[] models = [.. (await _server.Client.GetFromJsonAsync<JsonElement>("/v1/models")).GetProperty("data").EnumerateArray()];
        Dictionary<string, JsonElement> byId = models.ToDictionary(model => model.GetProperty("id").GetString()!);
        JsonElement both = byId["both"];
        Assert.Equal(("ensemble", "ready", 48, 256), (both.GetProperty("kind").GetString(), both.GetProperty("state").GetString(),
            both.GetProperty("max_model_len").GetInt32(), both.GetProperty("vocab_size").GetInt32()));
        Assert.Equal(["a", "b"], both.GetProperty("experts").EnumerateArray().Select(expert => expert.GetString()));
        // Both stand on one table, which is counted once.
        Assert.Equal(byId["a"].GetProperty("embedding_fingerprint").GetString(), both.GetProperty("embedding_fingerprint").GetString());
        Assert.InRange(Bytes("a") + Bytes("b") - Bytes("both"), 4 * 256 * 32, Bytes("a", "shared_bytes"));
        Assert.True(Bytes("a", "shared_bytes") > 0);
        Assert.Equal(Bytes("both"), Bytes("both", "shared_bytes"));
        Assert.Equal(byId["a"].GetProperty("tokenizer_fingerprint").GetString(), both.GetProperty("tokenizer_fingerprint").GetString());
        Assert.Equal("failed", byId["incomplete"].GetProperty("state").GetString());
        Assert.Contains("'absent'", byId["incomplete"].GetProperty("error").GetString());
        Assert.Contains("sha256:", byId["mixed"].GetProperty("error").GetString());

        long Bytes(string id, string figure = "bytes") => byId[id].GetProperty(figure).GetInt64();
    }

    [Fact]
    public async Task Models_Sum_IsDescribedAsAnEnsemble()
    {
        JsonElement sum = await _server.Client.GetFromJsonAsync<JsonElement>("/v1/models/a+a");
        JsonElement a = await _server.Client.GetFromJsonAsync<JsonElement>("/v1/models/a");
        Assert.Equal(("a+a", "ensemble"), (sum.GetProperty("id").GetString(), sum.GetProperty("kind").GetString()));
        foreach (string figure in (string[])["bytes", "parameters", "dtype", "embedding_fingerprint", "max_model_len", "created"])
            Assert.Equal(a.GetProperty(figure).GetRawText(), sum.GetProperty(figure).GetRawText());
        using HttpResponseMessage missing = await _server.Client.GetAsync("/v1/models/a+nope");
        Assert.Equal(HttpStatusCode.NotFound, missing.StatusCode);
    }

    [Fact]
    public async Task Engines_ManyUnnamedOnes_TheLeastRecentlyUsedGoes()
    {
        using ExpertsFolder folder = ExpertsFolder.Create();
        await using RunningServer server = await RunningServer.StartAsync(null, folder.Setting);
        string[] sums = ["a+b", "b+a", "a+a", "b+b", "a+a+b", "a+b+a", "b+a+a", "a+b+b"];
        foreach (string sum in (string[])[.. sums, "a+b", "b+b+b"])
            await AskAsync(server, sum);
        string[] keys = [.. server.App.Services.GetRequiredService<EnsembleEngines>().UnnamedKeys];
        Assert.Equal(EnsembleEngines.MaxUnnamed, keys.Length);
        Assert.Contains("a\nb", keys);
        Assert.Contains("b\nb\nb", keys);
        Assert.DoesNotContain("b\na", keys);
    }

    [Fact]
    public async Task Engines_OtherWeights_ShareOne()
    {
        using ExpertsFolder folder = ExpertsFolder.Create();
        await using RunningServer server = await RunningServer.StartAsync(null, folder.Setting);
        for (int weight = 1; weight <= 20; weight++)
        {
            using HttpResponseMessage response = await server.CompleteAsync(
                $$$"""{"ensemble":{"experts":[{"model":"a"},{"model":"b","weight":{{{weight}}}}]},"prompt":"x","max_tokens":1}""");
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }
        Assert.Single(server.App.Services.GetRequiredService<EnsembleEngines>().UnnamedKeys);
    }

    [Fact]
    public async Task Engines_AllBusy_Is429()
    {
        await using GatedServer gated = await GatedServer.StartAsync();
        List<Task<HttpResponseMessage>> running = [.. Enumerable.Range(1, EnsembleEngines.MaxUnnamed).Select(copies =>
            gated.Server.CompleteAsync(Sum("plain" + string.Concat(Enumerable.Repeat("+rms", copies % 8 + (copies == 8 ? 1 : 0)))
                + (copies == 8 ? "+plain" : ""))))];
        EnsembleEngines engines = gated.Server.App.Services.GetRequiredService<EnsembleEngines>();
        await RunningServer.UntilAsync(() => engines.UnnamedKeys.Count() == EnsembleEngines.MaxUnnamed);
        using HttpResponseMessage refused = await gated.Server.CompleteAsync(Sum("rms+plain"));
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.Equal("1", refused.Headers.GetValues("Retry-After").Single());
        gated.Backend.Allow(1000);
        Assert.All(await Task.WhenAll(running), response => Assert.Equal(HttpStatusCode.OK, response.StatusCode));
    }

    [Fact]
    public async Task Completion_MemberStillLoading_Is503ModelLoading()
    {
        using ExpertsFolder folder = ExpertsFolder.Create().WithEnsembles("""{"both":{"experts":[{"model":"a"},{"model":"b"}]}}""");
        using var gate = new ManualResetEventSlim();
        await using RunningServer server = await RunningServer.StartUnreadyAsync((root, model, options) =>
        {
            if (model.Id == "b")
                gate.Wait();
            return ServedModel.Load(root, model, options);
        }, folder.Setting);
        using HttpResponseMessage early = await server.CompleteAsync("""{"model":"both","prompt":"x"}""");
        JsonElement listed = await server.Client.GetFromJsonAsync<JsonElement>("/v1/models/both");
        gate.Set();
        await RunningServer.UntilAsync(async () => (await server.CompleteAsync("""{"model":"both","prompt":"x"}""")).IsSuccessStatusCode);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, early.StatusCode);
        Assert.Equal("1", early.Headers.GetValues("Retry-After").Single());
        Assert.Contains("\"code\":\"model_loading\"", await early.Content.ReadAsStringAsync());
        Assert.Equal("loading", listed.GetProperty("state").GetString());
    }

    [Fact]
    public async Task Completion_MemberWithoutFiniteLogits_Is503ThatNamesIt()
    {
        await using RunningServer server = await RunningServer.StartAsync((root, model, options) => model.Id != "plain"
            ? ServedModel.Load(root, model, options)
            : new ServedModel(model.Id, () => new IllBackend(), Tokenizer.Load(TestData.Path("checkpoints", "plain", "tokenizer.json")), options)
            {
                Facts = new ModelFacts(1, "float32", [], null),
                Fingerprint = "fp_ill",
            });
        using HttpResponseMessage response = await server.CompleteAsync("""{"model":"rms+plain","prompt":"x"}""");
        string body = await response.Content.ReadAsStringAsync();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Contains("\"code\":\"member_unavailable\"", body);
        Assert.Contains("'plain'", body);
        using HttpResponseMessage well = await server.CompleteAsync("""{"model":"rms+bf16","prompt":"x"}""");
        Assert.Equal(HttpStatusCode.OK, well.StatusCode);
    }

    private static async Task AskAsync(RunningServer server, string model)
    {
        using HttpResponseMessage response = await server.CompleteAsync(Sum(model));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    private static string Sum(string model) => $$"""{"model":"{{model}}","prompt":"x","max_tokens":1}""";

    private async Task<JsonElement> ScoreAsync(string model, int maxTokens = 6)
    {
        JsonElement answer = await _server.CompleteJsonAsync(
            $$"""{{{model}},"prompt":"Hello","max_tokens":{{maxTokens}},"seed":3,"echo":true,"logprobs":5,"ignore_eos":true}""");
        Assert.True(answer.TryGetProperty("choices", out _), answer.GetRawText());
        return answer;
    }

    private static string Choices(JsonElement answer) => answer.GetProperty("choices").GetRawText();

    private static string Fingerprint(JsonElement answer) => answer.GetProperty("system_fingerprint").GetString()!;

    private static double[] Probabilities(JsonElement answer) => [.. answer.GetProperty("choices")[0].GetProperty("logprobs")
        .GetProperty("token_logprobs").EnumerateArray().Skip(1).Select(logprob => Math.Exp(logprob.GetDouble()))];

    private sealed class IllBackend : IBackend
    {
        public ModelShape Shape => new(256, 48);

        public KvCapacity Kv => new(8, 16);

        public void Forward(ForwardBatch batch, Span<float> logits) => logits.Fill(float.NaN);

        public void Dispose()
        {
        }
    }
}

using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Serving.Glyphs.Tokens;
using Serving.Inference.Devices;
using Serving.Server.Models;
using Serving.Server.Tests.Hosting;
using Serving.Testing;

namespace Serving.Server.Tests.Ensembles;

public sealed class EnsembleDefinitionTests : IAsyncLifetime
{
    private readonly ExpertsFolder _folder = ExpertsFolder.Create().WithEnsembles("""{"old":{"experts":[{"model":"a"},{"model":"b"}]}}""");
    private RunningServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await RunningServer.StartAsync(null, _folder.Setting);

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task Put_NewName_AnswersFromThenOn()
    {
        (HttpStatusCode status, JsonElement defined) = await PutAsync("new", Weights(1, 3));
        Assert.Equal(HttpStatusCode.Created, status);
        Assert.Equal(("new", 1, "ready", "logits"), (defined.GetProperty("name").GetString(), defined.GetProperty("version").GetInt32(),
            defined.GetProperty("state").GetString(), defined.GetProperty("combine").GetString()));
        JsonElement named = await CompleteAsync(""" "model":"new" """);
        JsonElement own = await CompleteAsync($""" "ensemble":{Weights(1, 3)} """);
        Assert.Equal(Choices(own), Choices(named));
        JsonElement listed = await _server.Client.GetFromJsonAsync<JsonElement>("/v1/ensembles");
        Assert.Equal(["new", "old"], listed.GetProperty("data").EnumerateArray().Select(each => each.GetProperty("name").GetString()));
        Assert.Equal(HttpStatusCode.OK, (await _server.Client.GetAsync("/v1/models/new")).StatusCode);
    }

    [Fact]
    public async Task Put_KnownName_CountsTheVersion()
    {
        string before = Choices(await CompleteAsync(""" "model":"old" """));
        (HttpStatusCode status, JsonElement defined) = await PutAsync("old", Weights(1, 9));
        Assert.Equal((HttpStatusCode.OK, 2), (status, defined.GetProperty("version").GetInt32()));
        JsonElement after = await CompleteAsync(""" "model":"old" """);
        Assert.Equal(2, after.GetProperty("ensemble").GetProperty("version").GetInt32());
        Assert.NotEqual(before, Choices(after));
        await PutAsync("old", Weights(1, 1));
        Assert.Equal(before, Choices(await CompleteAsync(""" "model":"old" """)));
    }

    [Fact]
    public async Task Delete_KnownName_IsForgotten()
    {
        JsonElement gone = await (await _server.Client.DeleteAsync("/v1/ensembles/old")).Content.ReadFromJsonAsync<JsonElement>();
        Assert.True(gone.GetProperty("deleted").GetBoolean());
        using HttpResponseMessage answer = await _server.CompleteAsync("""{"model":"old","prompt":"x"}""");
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await _server.Client.DeleteAsync("/v1/ensembles/old")).StatusCode);
    }

    [Theory]
    [InlineData("a", """{"experts":[{"model":"b"}]}""", 400, "invalid_value", "name")]
    [InlineData("a%2Bb", """{"experts":[{"model":"b"}]}""", 400, "invalid_value", "name")]
    [InlineData("x", """{"experts":[]}""", 400, "invalid_value", "experts")]
    [InlineData("x", """{"experts":[{"model":"a","weight":-1}]}""", 400, "invalid_value", "experts[0].weight")]
    [InlineData("x", """{"experts":[{"model":"nope"}]}""", 404, "model_not_found", "experts")]
    [InlineData("x", """{"experts":[{"model":"a"},{"model":"stranger"}]}""", 409, "incompatible_experts", "experts")]
    [InlineData("x", """{"experts":[{"model":"a"},{"model":"broken"}]}""", 503, "member_unavailable", "experts")]
    public async Task Put_EnsembleThatCannotBe_IsRefused(string name, string body, int status, string code, string param)
    {
        (HttpStatusCode given, JsonElement answer) = await PutAsync(name, body);
        JsonElement error = answer.GetProperty("error");
        Assert.Equal((status, code, param), ((int)given, error.GetProperty("code").GetString(), error.GetProperty("param").GetString()));
        Assert.Single((await _server.Client.GetFromJsonAsync<JsonElement>("/v1/ensembles")).GetProperty("data").EnumerateArray());
    }

    // Every stream must be, to the last bit, what the definition says that held when it was taken, and name that one.
    [Fact]
    public async Task Put_WhileFiftyStreamsRun_EachEndsWithTheWeightsThatItNames()
    {
        const int Versions = 10, StreamsOfEach = 5;
        const string Body = """{"model":"old","prompt":"Hello","max_tokens":40,"temperature":0,"logprobs":1,"ignore_eos":true,"stream":true}""";
        var streams = new List<(int Version, HttpResponseMessage Response)>();
        for (int version = 1; version <= Versions; version++)
        {
            if (version > 1)
                await PutAsync("old", Weights(1, version));
            // Headers come when a stream has begun; its tokens go on while the weights change.
            foreach (HttpResponseMessage response in await Task.WhenAll(Enumerable.Range(0, StreamsOfEach).Select(_ => BeginAsync(Body))))
                streams.Add((version, response));
        }
        foreach (IGrouping<int, (int Version, HttpResponseMessage Response)> group in streams.GroupBy(stream => stream.Version))
        {
            string alone = Logprobs(await ChunksAsync(await BeginAsync(
                Body.Replace("\"model\":\"old\"", $"\"ensemble\":{Weights(1, group.Key)}", StringComparison.Ordinal))));
            foreach ((int version, HttpResponseMessage response) in group)
            {
                JsonElement[] chunks = await ChunksAsync(response);
                JsonElement ensemble = Assert.Single(chunks.Select(chunk => chunk.GetProperty("ensemble")).DistinctBy(each => each.GetRawText()));
                Assert.Equal(version, ensemble.GetProperty("version").GetInt32());
                Assert.Equal(version, ensemble.GetProperty("experts")[1].GetProperty("weight").GetDouble());
                Assert.Single(chunks.Select(chunk => chunk.GetProperty("system_fingerprint").GetString()).Distinct());
                Assert.Equal(alone, Logprobs(chunks));
            }
        }
    }

    [Fact]
    public async Task Completion_EnsembleLargerThanMemory_Is503InNumbers()
    {
        await using RunningServer server = await RunningServer.StartAsync((root, model, options) => model.Id != "plain"
            ? ServedModel.Load(root, model, options)
            : new ServedModel(model.Id, () => new GatedBackend(), Tokenizer.Load(TestData.Path("checkpoints", "plain", "tokenizer.json")), options)
            {
                Facts = new ModelFacts(1, "float32", [], null),
                Fingerprint = "fp_large",
                Memory = new MemoryPlan(0, 0, 0, WorkspaceBytes: 7L << 50),
            });
        using HttpResponseMessage response = await server.CompleteAsync("""{"model":"plain+rms","prompt":"x"}""");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal("30", response.Headers.GetValues("Retry-After").Single());
        JsonElement error = (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error");
        Assert.Equal("memory_pressure", error.GetProperty("code").GetString());
        Assert.Matches("needs 75161927[0-9]{2} MiB .* and [0-9]+ MiB are left", error.GetProperty("message").GetString());
        using HttpResponseMessage member = await server.CompleteAsync("""{"model":"rms","prompt":"x","max_tokens":1}""");
        Assert.Equal(HttpStatusCode.OK, member.StatusCode);
    }

    private Task<HttpResponseMessage> BeginAsync(string body)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions") { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        return _server.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }

    private static async Task<JsonElement[]> ChunksAsync(HttpResponseMessage response)
    {
        using (response)
        {
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            return Chunks(await response.Content.ReadAsStringAsync());
        }
    }

    private static JsonElement[] Chunks(string stream)
    {
        string[] events = [.. stream.Split("\n\n", StringSplitOptions.RemoveEmptyEntries)
            .Where(block => block.StartsWith("data: ", StringComparison.Ordinal)).Select(block => block["data: ".Length..])];
        Assert.Equal("[DONE]", events[^1]);
        return [.. events.SkipLast(1).Select(data => JsonSerializer.Deserialize<JsonElement>(data))];
    }

    private static string Logprobs(JsonElement[] chunks) => string.Join(';', chunks.Select(chunk => chunk.GetProperty("choices")[0].GetProperty("logprobs"))
        .Where(logprobs => logprobs.ValueKind == JsonValueKind.Object).Select(logprobs => logprobs.GetProperty("token_logprobs").GetRawText()));

    private static string Weights(int a, int b) =>
        $$"""{"experts":[{"model":"a","weight":{{a}}},{"model":"b","weight":{{b}}}]}""";

    private async Task<(HttpStatusCode Status, JsonElement Answer)> PutAsync(string name, string body)
    {
        using HttpResponseMessage response = await _server.Client.PutAsync(
            $"/v1/ensembles/{name}", new StringContent(body, Encoding.UTF8, "application/json"));
        return (response.StatusCode, await response.Content.ReadFromJsonAsync<JsonElement>());
    }

    private Task<JsonElement> CompleteAsync(string model) =>
        _server.CompleteJsonAsync($$"""{{{model}},"prompt":"Hello","max_tokens":6,"temperature":0,"logprobs":2,"ignore_eos":true}""");

    private static string Choices(JsonElement answer) => answer.GetProperty("choices").GetRawText();
}

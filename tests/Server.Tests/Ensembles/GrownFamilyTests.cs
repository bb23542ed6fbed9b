using System.Net;
using System.Net.Http.Json;
using System.Runtime.InteropServices;
using System.Text.Json;
using Serving.Inference.Checkpoints;
using Serving.Server.Tests.Hosting;
using Serving.Server.Tests.Telemetry;

namespace Serving.Server.Tests.Ensembles;

/// <summary>"a" has two blocks; "first" is its first block with a head of its own.</summary>
public sealed class GrownFamilyTests : IAsyncLifetime
{
    private const string Ask = """ "prompt":"Hello","max_tokens":24,"logprobs":2,"ignore_eos":true,"seed":4 """;

    private readonly ExpertsFolder _folder = ExpertsFolder.Create();

    public GrownFamilyTests()
    {
        foreach (string name in (string[])["first", "guessing", "looking", "wrong"])
            _folder.Copy("plain", name);
        CutToFirstBlock("first");
        _folder.Write("guessing", "serving.json", """{"stages": {"1": "first"}, "speculate": {"source": "depth", "depth": 1, "tokens": 3}}""");
        _folder.Write("looking", "serving.json", """{"speculate": {"source": "lookup", "tokens": 8}}""");
        _folder.Write("wrong", "serving.json", """{"stages": {"1": "b"}}""");
    }

    private RunningServer Server { get; set; } = null!;

    public async ValueTask InitializeAsync() => Server = await RunningServer.StartAsync(null, _folder.Setting);

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("guessing", 0)]
    [InlineData("guessing", 1)]
    [InlineData("looking", 0)]
    [InlineData("looking", 1)]
    public async Task Completion_GuessingAhead_AnswersTheSameBitsAndCountsGuesses(string model, double temperature)
    {
        JsonElement expected = await CompleteAsync("a", temperature), actual = await CompleteAsync(model, temperature);
        Assert.Equal(expected.GetProperty("choices").GetRawText(), actual.GetProperty("choices").GetRawText());
        Assert.False(expected.GetProperty("usage").TryGetProperty("completion_tokens_details", out _));
        bool guessed = actual.GetProperty("usage").TryGetProperty("completion_tokens_details", out JsonElement guesses);
        if (model == "guessing")
        {
            int sum = guesses.GetProperty("accepted_prediction_tokens").GetInt32() + guesses.GetProperty("rejected_prediction_tokens").GetInt32();
            Assert.True(guessed && sum > 0);
        }
    }

    [Fact]
    public async Task Metrics_AfterGuessing_CountWhatUsageTells()
    {
        JsonElement guesses = (await CompleteAsync("guessing", 1)).GetProperty("usage").GetProperty("completion_tokens_details");
        (int accepted, int rejected) = (guesses.GetProperty("accepted_prediction_tokens").GetInt32(), guesses.GetProperty("rejected_prediction_tokens").GetInt32());
        Exposition metrics = Exposition.Parse(await Server.Client.GetStringAsync("/metrics"));
        Assert.Equal(accepted + rejected, metrics.Sum("serving_speculation_drafted_tokens_total", "\"guessing\""));
        Assert.Equal(accepted, metrics.Sum("serving_speculation_accepted_tokens_total", "\"guessing\""));
    }

    [Fact]
    public async Task Completion_AtADepth_AnswersAsTheStage()
    {
        JsonElement stage = await CompleteAsync("first", 1), depth = await CompleteAsync("guessing@depth=1", 1);
        Assert.Equal("guessing@depth=1", depth.GetProperty("model").GetString());
        Assert.Equal(stage.GetProperty("choices").GetRawText(), depth.GetProperty("choices").GetRawText());
        JsonElement sum = await CompleteAsync("guessing@depth=1+a", 0);
        Assert.Equal((await CompleteAsync("first+a", 0)).GetProperty("choices").GetRawText(), sum.GetProperty("choices").GetRawText());
    }

    [Theory]
    [InlineData("guessing@depth=2")]
    [InlineData("guessing@depth=x")]
    [InlineData("a@depth=1")]
    [InlineData("nope@depth=1")]
    public async Task Completion_DepthThatIsNotDeclared_IsNotFound(string model)
    {
        using HttpResponseMessage response = await Server.CompleteAsync($$"""{"model":"{{model}}","prompt":"x"}""");
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
    }

    [Fact]
    public async Task Models_GrownModel_ListsItsDepths()
    {
        JsonElement grown = await Server.Client.GetFromJsonAsync<JsonElement>("/v1/models/guessing");
        Assert.Equal("[1]", grown.GetProperty("depths").GetRawText());
        JsonElement stage = await Server.Client.GetFromJsonAsync<JsonElement>("/v1/models/guessing@depth=1");
        Assert.Equal("guessing@depth=1", stage.GetProperty("id").GetString());
        JsonElement wrong = await Server.Client.GetFromJsonAsync<JsonElement>("/v1/models/wrong");
        Assert.Equal("failed", wrong.GetProperty("state").GetString());
        Assert.Contains("stages, '1'", wrong.GetProperty("error").GetString());
    }

    private async Task<JsonElement> CompleteAsync(string model, double temperature)
    {
        JsonElement answer = await Server.CompleteJsonAsync($$"""{"model":"{{model}}","temperature":{{temperature}},{{Ask}}}""");
        Assert.True(answer.TryGetProperty("choices", out _), answer.GetRawText());
        return answer;
    }

    private void CutToFirstBlock(string name)
    {
        var writer = new SafetensorsWriter();
        using (SafetensorsFile whole = SafetensorsFile.Open(_folder.File("a", "model.safetensors")))
        {
            foreach ((string tensor, Tensor values) in whole.Tensors.Where(entry => !entry.Key.Contains(".1.", StringComparison.Ordinal)))
            {
                float[] floats = values.ToFloats();
                if (tensor == "lm_head.weight")
                    floats.AsSpan().Reverse();
                writer.Add(tensor, DType.F32, [.. values.Shape], MemoryMarshal.AsBytes(floats.AsSpan()).ToArray());
            }
        }
        writer.Save(_folder.File(name, "model.safetensors"));
        string config = _folder.File(name, "config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"n_layer\": 2", "\"n_layer\": 1", StringComparison.Ordinal));
    }
}

using System.Net.Http.Json;
using System.Text.Json;
using Serving.Testing;

namespace Serving.EndToEnd;

/// <summary>The bundled experts through the whole server, against plain PyTorch (<c>training/golden.py</c>).</summary>
public sealed class BundledExpertsTests
{
    private const double Tolerance = 1e-4;

    [Fact]
    public async Task Serve_WithoutOptions_AnswersAsPyTorchDoes()
    {
        string models = Path.Combine(TestData.RepositoryRoot, "models");
        await using ServerProcess server = await ServerProcess.StartAsync(models);
        string[] experts = [.. Directory.GetFiles(TestData.Path("experts"), "*.json").Select(path => Path.GetFileNameWithoutExtension(path)!)];
        Assert.NotEmpty(experts);

        foreach (string expert in experts)
        {
            using JsonDocument golden = JsonDocument.Parse(await File.ReadAllBytesAsync(
                TestData.Path("experts", expert + ".json"), TestContext.Current.CancellationToken));
            JsonElement expected = golden.RootElement;
            JsonElement choice = await CompleteAsync(server, expert, expected);

            Assert.Equal(expected.GetProperty("text").GetString(), choice.GetProperty("text").GetString());
            double[] logprobs = [.. choice.GetProperty("logprobs").GetProperty("token_logprobs").EnumerateArray().Skip(1).Select(value => value.GetDouble())];
            double[] wanted = [.. expected.GetProperty("logprobs").EnumerateArray().Select(value => value.GetDouble())];
            Assert.Equal(wanted.Length, logprobs.Length);
            Assert.All(wanted.Zip(logprobs), pair => Assert.Equal(pair.First, pair.Second, Tolerance));
        }
    }

    private static async Task<JsonElement> CompleteAsync(ServerProcess server, string expert, JsonElement golden)
    {
        var request = new
        {
            model = expert,
            prompt = golden.GetProperty("prompt").GetString(),
            max_tokens = golden.GetProperty("greedy").GetArrayLength(),
            temperature = 0,
            echo = true,
            logprobs = 0,
        };
        using HttpResponseMessage response = await server.Client.PostAsJsonAsync("/v1/completions", request);
        JsonElement answer = await response.Content.ReadFromJsonAsync<JsonElement>();
        return answer.GetProperty("choices")[0];
    }
}

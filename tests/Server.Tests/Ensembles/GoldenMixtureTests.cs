using System.Text.Json;
using Serving.Inference.Checkpoints;
using Serving.Server.Tests.Hosting;
using Serving.Testing;

namespace Serving.Server.Tests.Ensembles;

/// <summary>The golden checkpoint of two experts, as it is and taken apart, asked through every way to average them.</summary>
public sealed class GoldenMixtureTests : IAsyncLifetime
{
    private const double Tolerance = 1e-4;
    private const int Vocabulary = 256;
    private const int PromptsAtOnce = 64;
    private const int ContextTokens = 48;

    private readonly ExpertsFolder _folder = new();
    private RunningServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        _folder.Copy("moe", "fused");
        TakeApart("e0", "experts.0.");
        TakeApart("e1", "experts.1.");
        _folder.WithEnsembles("""{"mean":{"experts":[{"model":"e0","weight":3},{"model":"e1","weight":3}],"combine":"logits"}}""");
        _server = await RunningServer.StartAsync(null, _folder.Setting);
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _folder.Dispose();
    }

    // A prompt for every token that could come next: its score is the token's log-probability, so the whole row is told. One of the
    // reference's texts fills the context; of that the scores of its own tokens are compared.
    [Theory]
    [InlineData(""" "model":"mean" """)]
    [InlineData(""" "model":"e0+e1" """)]
    [InlineData(""" "ensemble":{"experts":[{"model":"e0","weight":0.5},{"model":"e1","weight":0.5}],"combine":"logits"} """)]
    [InlineData(""" "model":"fused" """)]
    public async Task Completion_ByEveryRoute_GivesTheReferencesMean(string route)
    {
        using JsonDocument golden = JsonDocument.Parse(await File.ReadAllBytesAsync(TestData.Path("checkpoints", "moe", "golden.json")));
        int rows = 0;
        foreach (JsonElement expected in golden.RootElement.GetProperty("cases").EnumerateArray())
        {
            int[] ids = Numbers<int>(expected.GetProperty("ids"));
            if (ids.Length < ContextTokens)
            {
                double[] logits = Numbers<double>(expected.GetProperty("last_logits"));
                double logSum = Math.Log(logits.Sum(Math.Exp));
                double[] row = await NextLogprobsAsync(route, ids);
                Assert.All(logits.Zip(row), pair => Assert.Equal(pair.First - logSum, pair.Second, Tolerance));
                rows++;
            }
            JsonElement answer = (await _server.CompleteJsonAsync(
                $$"""{{{route}},"prompt":{{Json(ids)}},"max_tokens":0,"echo":true,"logprobs":0}"""))
                .GetProperty("choices")[0].GetProperty("logprobs");
            double?[] scores = [.. answer.GetProperty("token_logprobs").EnumerateArray().Select(NumberOrNull)];
            double?[] reference = [.. expected.GetProperty("prompt_logprobs").EnumerateArray().Select(NumberOrNull)];
            Assert.Equal(reference.Length, scores.Length);
            Assert.Null(scores[0]);
            Assert.All(reference.Zip(scores).Skip(1), pair => Assert.Equal(pair.First!.Value, pair.Second!.Value, Tolerance));
        }
        Assert.Equal(4, rows);
    }

    [Fact]
    public async Task Completion_FusedOrTakenApart_IsTheSameBits()
    {
        const string Rest = """ "prompt":"Hello","max_tokens":12,"seed":5,"echo":true,"logprobs":20,"ignore_eos":true """;
        string fused = Choices(await _server.CompleteJsonAsync($$"""{"model":"fused",{{Rest}}}"""));
        Assert.Equal(fused, Choices(await _server.CompleteJsonAsync($$"""{"model":"e0+e1",{{Rest}}}""")));
        Assert.NotEqual(fused, Choices(await _server.CompleteJsonAsync($$"""{"model":"e0",{{Rest}}}""")));
    }

    private async Task<double[]> NextLogprobsAsync(string route, int[] ids)
    {
        var row = new List<double>();
        foreach (int[] tokens in Enumerable.Range(0, Vocabulary).Chunk(PromptsAtOnce))
        {
            string prompts = string.Join(',', tokens.Select(token => Json([.. ids, token])));
            JsonElement answer = await _server.CompleteJsonAsync(
                $$"""{{{route}},"prompt":[{{prompts}}],"max_tokens":0,"echo":true,"logprobs":0}""");
            row.AddRange(answer.GetProperty("choices").EnumerateArray().OrderBy(choice => choice.GetProperty("index").GetInt32())
                .Select(choice => choice.GetProperty("logprobs").GetProperty("token_logprobs").EnumerateArray().Last().GetDouble()));
        }
        return [.. row];
    }

    private void TakeApart(string id, string prefix)
    {
        _folder.Copy("moe", id);
        var part = new SafetensorsWriter();
        using (SafetensorsFile whole = SafetensorsFile.Open(TestData.Path("checkpoints", "moe", "model.safetensors")))
        {
            foreach ((string name, Tensor tensor) in whole.Tensors.Where(entry => entry.Key.StartsWith(prefix, StringComparison.Ordinal)))
                part.Add(name[prefix.Length..], tensor.DType, [.. tensor.Shape], BytesOf(tensor));
        }
        part.Save(_folder.File(id, "model.safetensors"));
    }

    private static byte[] BytesOf(Tensor tensor)
    {
        byte[] bytes = new byte[tensor.Bytes];
        tensor.Read(0, bytes);
        return bytes;
    }

    private static double? NumberOrNull(JsonElement element) => element.ValueKind == JsonValueKind.Null ? null : element.GetDouble();

    private static T[] Numbers<T>(JsonElement list) => list.Deserialize<T[]>()!;

    private static string Json(int[] ids) => JsonSerializer.Serialize(ids);

    private static string Choices(JsonElement answer) => answer.GetProperty("choices").GetRawText();
}

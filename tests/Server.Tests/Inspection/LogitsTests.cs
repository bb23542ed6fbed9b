using System.Net;
using System.Net.Http.Json;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Serving.Server.Tests.Inspection;

/// <summary>Logits told whole, against the log-probabilities that completions tell of the same text.</summary>
public sealed class LogitsTests(InspectedServers servers) : IClassFixture<InspectedServers>
{
    // Longer than a piece of the computation, so that rows come from several.
    private static readonly int[] Tokens = [.. Enumerable.Range(0, 150).Select(i => 40 + (i * 7 % 60))];

    [Theory]
    [InlineData(1)]
    [InlineData(30)]
    [InlineData(149)]
    public async Task Record_LastPositions_AreWhatCompletionsScoreBy(int last)
    {
        JsonElement scored = await PostAsync("/v1/completions", $$"""{"model": "glyph-en", "prompt": [{{string.Join(',', Tokens)}}], "echo": true, "max_tokens": 0, "logprobs": 1}""");
        JsonElement expected = scored.GetProperty("choices")[0].GetProperty("logprobs").GetProperty("token_logprobs");

        // The rows before each of the last tokens.
        JsonElement answer = await PostAsync("/v1/models/glyph-en/logits", $$"""{"tokens": [{{string.Join(',', Tokens[..^1])}}], "last": {{last}}}""");

        Assert.Equal((last, 8192), (answer.GetProperty("rows").GetInt32(), answer.GetProperty("vocab_size").GetInt32()));
        float[] logits = MemoryMarshal.Cast<byte, float>(answer.GetProperty("data").GetBytesFromBase64()).ToArray();
        Assert.Equal(last * 8192, logits.Length);
        for (int row = 0; row < last; row++)
        {
            int position = Tokens.Length - last + row;
            double logprob = LogSoftmax(logits.AsSpan(row * 8192, 8192), Tokens[position]);
            Assert.Equal(expected[position].GetDouble(), logprob, 1e-5);
        }
    }

    [Theory]
    [InlineData("glyph-en", "{}", 400, "tokens")]
    [InlineData("glyph-en", """{"tokens": [9000]}""", 400, "tokens[0]")]
    [InlineData("glyph-en", """{"tokens": [1, 2], "last": 3}""", 400, "last")]
    [InlineData("babel", """{"tokens": [1]}""", 400, "id")]
    [InlineData("nobody", """{"tokens": [1]}""", 404, "model")]
    public async Task Record_BadRequest_SaysWhat(string model, string body, int status, string param)
    {
        using HttpResponseMessage response = await servers.Bundled.Client.PostAsync($"/v1/models/{model}/logits", new StringContent(body, Encoding.UTF8, "application/json"));
        Assert.Equal((HttpStatusCode)status, response.StatusCode);
        Assert.Equal(param, (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error").GetProperty("param").GetString());
    }

    private static double LogSoftmax(ReadOnlySpan<float> logits, int id)
    {
        (double sum, double max) = (0, double.NegativeInfinity);
        foreach (float logit in logits) max = Math.Max(max, logit);
        foreach (float logit in logits) sum += Math.Exp(logit - max);
        return logits[id] - max - Math.Log(sum);
    }

    private async Task<JsonElement> PostAsync(string path, string body)
    {
        using HttpResponseMessage response = await servers.Bundled.Client.PostAsync(path, new StringContent(body, Encoding.UTF8, "application/json"));
        return await response.Content.ReadFromJsonAsync<JsonElement>();
    }
}

using System.Net;
using System.Text;
using System.Text.Json;
using Serving.Testing;

namespace Serving.EndToEnd;

public sealed class ServeTests
{
    private const string Golden = """{"model":"plain","prompt":"Hello","max_tokens":20,"temperature":0,"ignore_eos":true}""";

    private static readonly string Checkpoints = TestData.Path("checkpoints");

    [Fact]
    public async Task Serve_BadRequests_LeaveItServing()
    {
        await using ServerProcess server = await ServerProcess.StartAsync(Checkpoints);
        string before = await TextOfAsync(server, Golden);
        (string Body, int Status, string Code)[] bad =
        [
            ("{\"model\":\"plain\",\"prompt\":\"x\"", 400, "invalid_json"),
            ("{\"model\":\"plain\",\"prompt\":\"x\",\"prompt\":\"y\"}", 400, "invalid_json"),
            ("{\"model\":\"plain\",\"prompt\":\"x\",\"max_tokens\":\"many\"}", 400, "invalid_value"),
            ("{\"model\":\"plain\",\"prompt\":\"x\",\"temperature\":1e999}", 400, "invalid_value"),
            ("{\"model\":\"plain\",\"prompt\":\"" + new string('x', 100) + "\"}", 400, "context_length_exceeded"),
            ("{\"model\":\"nobody\",\"prompt\":\"x\"}", 404, "model_not_found"),
        ];
        foreach ((string body, int status, string code) in bad)
        {
            using HttpResponseMessage response = await PostAsync(server, body);
            Assert.Equal(status, (int)response.StatusCode);
            using JsonDocument answer = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
            Assert.Equal(code, answer.RootElement.GetProperty("error").GetProperty("code").GetString());
        }
        Assert.Equal(before, await TextOfAsync(server, Golden));
    }

    [Fact]
    public async Task Serve_FilesOfAModelDamaged_GoesOnAnswering()
    {
        using var copies = new CheckpointCopies();
        string[] files = [.. Directory.EnumerateFiles(copies.Add("plain", "plain"))];
        await using ServerProcess server = await ServerProcess.StartAsync(copies.Path);
        string before = await TextOfAsync(server, Golden);
        for (int cycle = 0; cycle < 20; cycle++)
        {
            string file = files[cycle % files.Length];
            if (cycle % 3 == 0)
                File.Delete(file);
            else if (cycle % 3 == 1)
                File.WriteAllBytes(file, new byte[cycle * 1000]);
            else
                File.WriteAllText(file, "{}");
            Assert.Equal(before, await TextOfAsync(server, Golden));
        }
    }

    [Fact]
    public async Task Serve_Streamed_EqualsTheWhole()
    {
        await using ServerProcess server = await ServerProcess.StartAsync(Checkpoints);
        string body = """{"model":"sharded","prompt":"Hello","max_tokens":30,"temperature":1.2,"seed":11,"ignore_eos":true""";
        using HttpResponseMessage response = await PostAsync(server, body + ",\"stream\":true}");
        string[] events = (await response.Content.ReadAsStringAsync()).Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("data: [DONE]", events[^1]);
        string streamed = string.Concat(events.SkipLast(1).Select(data =>
            JsonDocument.Parse(data["data: ".Length..]).RootElement.GetProperty("choices")[0].GetProperty("text").GetString()));
        Assert.Equal(await TextOfAsync(server, body + "}"), streamed);
    }

    [Fact]
    public async Task Serve_ClientsLeaveEarly_FreesTheirSlots()
    {
        await using ServerProcess server = await ServerProcess.StartAsync(
            Checkpoints, "--Serving:Batch:MaxRunning=1", "--Serving:Queue:MaxRequests=4");
        string before = await TextOfAsync(server, Golden);
        for (int i = 0; i < 20; i++)
        {
            using var leaving = new CancellationTokenSource();
            Task<HttpResponseMessage> request = PostAsync(server, Golden.Replace("}", ",\"stream\":true}", StringComparison.Ordinal), leaving.Token);
            if (i % 2 == 0)
                (await request).Dispose();
            await leaving.CancelAsync();
        }
        // A slot that leaked would leave the only place taken and the queue full for ever.
        for (int i = 0; i < 6; i++)
            Assert.Equal(before, await TextOfAsync(server, Golden));
    }

    [Fact]
    public async Task Serve_TruncatedModelBesideGoodOnes_ServesTheGoodOnesAndSaysWhy()
    {
        using var copies = new CheckpointCopies();
        copies.Add("plain", "good");
        copies.AddTruncated("plain", "broken");
        await using ServerProcess server = await ServerProcess.StartAsync(copies.Path);
        Assert.NotEmpty(await TextOfAsync(server, Golden.Replace("plain", "good", StringComparison.Ordinal)));

        using HttpResponseMessage refused = await PostAsync(server, Golden.Replace("plain", "broken", StringComparison.Ordinal));
        string body = await refused.Content.ReadAsStringAsync();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Equal("false", refused.Headers.GetValues("x-should-retry").Single());
        Assert.Contains("model.safetensors", body);
        Assert.DoesNotContain(copies.Path, body);

        using JsonDocument model = JsonDocument.Parse(await server.Client.GetStringAsync("/v1/models/broken"));
        Assert.Equal("failed", model.RootElement.GetProperty("state").GetString());
        // What the server has written may still be in the pipe.
        await ServerProcess.UntilAsync(() => Task.FromResult(server.Log.Any(line =>
            line.Contains("\"@l\":\"Error\"", StringComparison.Ordinal) && line.Contains("\"Model\":\"broken\"", StringComparison.Ordinal))));
    }

    [Theory]
    [InlineData("INT")]
    [InlineData("TERM")]
    public async Task Serve_Signal_EndsCleanly(string signal)
    {
        await using ServerProcess server = await ServerProcess.StartAsync(Checkpoints);
        await TextOfAsync(server, Golden);
        await server.SignalAsync(signal);
        Assert.Equal(0, await server.WaitForExitAsync());
        Assert.Equal("", server.Errors);
        Assert.Contains("\"@m\":\"Stopped\"", server.Log[^1]);
    }

    [Fact]
    public async Task Serve_EachRequest_IsOneLineOfTheLogWithoutItsText()
    {
        await using ServerProcess server = await ServerProcess.StartAsync(Checkpoints);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions") { Content = Json(Golden) };
        request.Headers.Add("x-request-id", "my-request:1");
        using HttpResponseMessage response = await server.Client.SendAsync(request);
        Assert.Equal("my-request:1", response.Headers.GetValues("x-request-id").Single());
        await server.SignalAsync("INT");
        await server.WaitForExitAsync();

        JsonElement[] log = [.. server.Log.Select(line => JsonDocument.Parse(line).RootElement)];
        JsonElement line = Assert.Single(log, line => line.TryGetProperty("RequestId", out JsonElement id) && id.GetString() == "my-request:1");
        Assert.Equal("POST", line.GetProperty("Method").GetString());
        Assert.Equal("/v1/completions", line.GetProperty("Route").GetString());
        Assert.Equal(200, line.GetProperty("Status").GetInt32());
        Assert.Equal("plain", line.GetProperty("Model").GetString());
        Assert.Equal(5, line.GetProperty("PromptTokens").GetInt32());
        Assert.Equal(20, line.GetProperty("CompletionTokens").GetInt32());
        Assert.True(line.GetProperty("TtftMs").GetDouble() <= line.GetProperty("ElapsedMs").GetDouble());
        Assert.DoesNotContain(server.Log, text => text.Contains("Hello", StringComparison.Ordinal));
    }

    private static StringContent Json(string body) => new(body, Encoding.UTF8, "application/json");

    private static Task<HttpResponseMessage> PostAsync(ServerProcess server, string body, CancellationToken cancellation = default) =>
        server.Client.SendAsync(new HttpRequestMessage(HttpMethod.Post, "/v1/completions") { Content = Json(body) },
            HttpCompletionOption.ResponseHeadersRead, cancellation);

    private static async Task<string> TextOfAsync(ServerProcess server, string body)
    {
        using HttpResponseMessage response = await PostAsync(server, body);
        string text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        return JsonDocument.Parse(text).RootElement.GetProperty("choices")[0].GetProperty("text").GetString()!;
    }
}

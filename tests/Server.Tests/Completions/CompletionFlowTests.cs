using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Serving.Server.Tests.Hosting;

namespace Serving.Server.Tests.Completions;

public sealed class CompletionFlowTests
{
    private const string Streamed = """{"model":"plain","prompt":"hi","max_tokens":100,"temperature":0,"stream":true}""";
    private const string Whole = """{"model":"plain","prompt":"hi","max_tokens":100,"temperature":0}""";

    [Fact]
    public async Task Stream_SilentEngine_SendsComments()
    {
        await using GatedServer gated = await GatedServer.StartAsync("KeepAliveSeconds=1");
        using HttpResponseMessage response = await gated.Server.CompleteAsync(Streamed);
        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync());
        Assert.Equal(": keep-alive", await lines.ReadLineAsync());
    }

    [Fact]
    public async Task Stream_OneStep_ArrivesBeforeTheNext()
    {
        await using GatedServer gated = await GatedServer.StartAsync();
        gated.Backend.Allow(1);
        using HttpResponseMessage response = await gated.Server.CompleteAsync(Streamed);
        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync());
        Assert.Contains("\"text\":\"A\"", await lines.ReadLineAsync());
        Assert.Equal("no", response.Headers.GetValues("X-Accel-Buffering").Single());
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
    }

    [Theory]
    [InlineData(Streamed)]
    [InlineData(Whole)]
    public async Task Completion_ClientLeaves_FreesItsBlocks(string body)
    {
        await using GatedServer gated = await GatedServer.StartAsync();
        using var leaving = new CancellationTokenSource();
        Task<HttpResponseMessage> request = gated.Server.CompleteAsync(body, leaving.Token);
        gated.Backend.Allow(1);
        await RunningServer.UntilAsync(() => gated.Model.Engine.Statistics.GeneratedTokens == 1);
        if (body == Streamed)
            (await request).Dispose();
        await leaving.CancelAsync();
        // The news of the client's leaving races with the next steps, so they are let go one by one.
        await RunningServer.UntilAsync(() =>
        {
            gated.Backend.Allow(1);
            return gated.IsIdle;
        });
        Assert.InRange(gated.Model.Engine.Statistics.GeneratedTokens, 1, 99);
    }

    [Fact]
    public async Task Completion_QueueFull_Is429WithRetryAfter()
    {
        await using GatedServer gated = await GatedServer.StartAsync("Queue:MaxRequests=1", "Batch:MaxRunning=1");
        List<Task<HttpResponseMessage>> requests = [.. Enumerable.Range(0, 4).Select(_ => gated.Server.CompleteAsync(Whole))];
        // One can run, one can wait, and none can finish: the first answer is a refusal.
        Task<HttpResponseMessage> first = await Task.WhenAny(requests);
        using HttpResponseMessage refused = await first;
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.InRange(int.Parse(refused.Headers.GetValues("Retry-After").Single(), CultureInfo.InvariantCulture), 1, 120);
        Assert.Contains("\"code\":\"queue_full\"", await refused.Content.ReadAsStringAsync());
        gated.Backend.Allow(1000);
        HttpResponseMessage[] all = await Task.WhenAll(requests);
        Assert.Contains(all, response => response.StatusCode == HttpStatusCode.OK);
        Assert.All(all, response => Assert.True(response.StatusCode is HttpStatusCode.OK or HttpStatusCode.TooManyRequests));
    }

    [Fact]
    public async Task Stream_ServerDrains_FinishesWhileNewWorkIsRefused()
    {
        await using GatedServer gated = await GatedServer.StartAsync();
        gated.Backend.Allow(1);
        using HttpResponseMessage running = await gated.Server.CompleteAsync(Streamed);
        gated.Server.Drain.Begin();
        using HttpResponseMessage refused = await gated.Server.CompleteAsync(Whole);
        using HttpResponseMessage ready = await gated.Server.Client.GetAsync("/health/ready");
        using HttpResponseMessage live = await gated.Server.Client.GetAsync("/health/live");
        gated.Backend.Allow(1000);
        Assert.EndsWith("data: [DONE]\n\n", await running.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Equal("1", refused.Headers.GetValues("Retry-After").Single());
        Assert.Contains("\"code\":\"shutting_down\"", await refused.Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
        Assert.Equal(HttpStatusCode.OK, live.StatusCode);
        await gated.Server.Drain.Idle.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task Stream_ServerCannotWait_EndsWithAnErrorAndABrokenConnection()
    {
        await using GatedServer gated = await GatedServer.StartAsync();
        gated.Backend.Allow(1);
        using HttpResponseMessage running = await gated.Server.CompleteAsync(Streamed);
        gated.Server.Drain.Force();
        gated.Backend.Allow(1);
        (string text, bool isBroken) = await ReadToEndAsync(running);
        Assert.True(isBroken);
        Assert.Contains("data: {\"error\":{", text);
        Assert.Contains("\"code\":\"shutting_down\"", text);
        Assert.DoesNotContain("[DONE]", text);
    }

    [Fact]
    public async Task Stream_ModelFails_EndsWithAnErrorWithoutDetailAndOthersGoOn()
    {
        await using GatedServer gated = await GatedServer.StartAsync();
        gated.Backend.Allow(1);
        using HttpResponseMessage running = await gated.Server.CompleteAsync(Streamed);
        gated.Backend.IsBroken = true;
        gated.Backend.Allow(1);
        (string text, bool isBroken) = await ReadToEndAsync(running);
        Assert.True(isBroken);
        Assert.Contains("\"code\":\"internal_error\"", text);
        Assert.DoesNotContain("secret", text);
        Assert.DoesNotContain("[DONE]", text);

        gated.Backend.IsBroken = false;
        gated.Backend.Allow(1000);
        JsonElement next = await gated.Server.CompleteJsonAsync(Whole);
        Assert.Equal("length", next.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
    }

    [Theory]
    [InlineData("/v1/completions", """{"model":"plain","prompt":"hi","max_tokens":1000,"ignore_eos":true}""")]
    [InlineData("/v1/chat/completions", """{"model":"plain","messages":[{"role":"user","content":"hi"}],"ignore_eos":true}""")]
    public async Task Answer_TakesTooLong_Is504AndFreesItsBlocks(string path, string body)
    {
        await using GatedServer gated = await GatedServer.StartAsync("AnswerSeconds=1");
        Task<HttpResponseMessage> request = gated.Server.Client.PostAsync(path, new StringContent(body, Encoding.UTF8, "application/json"));
        // Step by step, a thousand of them take longer than the second that there is.
        await RunningServer.UntilAsync(() =>
        {
            gated.Backend.Allow(1);
            return request.IsCompleted;
        });
        using HttpResponseMessage response = await request;
        Assert.Equal(HttpStatusCode.GatewayTimeout, response.StatusCode);
        Assert.Contains("\"code\":\"request_timeout\"", await response.Content.ReadAsStringAsync());
        Assert.Equal("false", response.Headers.GetValues("x-should-retry").Single());
        await RunningServer.UntilAsync(() => gated.IsIdle);
    }

    [Fact]
    public async Task Completion_ModelFails_Is500WithoutDetail()
    {
        await using GatedServer gated = await GatedServer.StartAsync();
        gated.Backend.IsBroken = true;
        gated.Backend.Allow(1);
        using HttpResponseMessage response = await gated.Server.CompleteAsync(Whole);
        string body = await response.Content.ReadAsStringAsync();
        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        Assert.Contains("\"code\":\"internal_error\"", body);
        Assert.DoesNotContain("secret", body);
    }

    private static async Task<(string Text, bool IsBroken)> ReadToEndAsync(HttpResponseMessage response)
    {
        var text = new StringBuilder();
        byte[] buffer = new byte[4096];
        Stream body = await response.Content.ReadAsStreamAsync();
        try
        {
            for (int read; (read = await body.ReadAsync(buffer)) > 0;)
                text.Append(Encoding.UTF8.GetString(buffer, 0, read));
            return (text.ToString(), false);
        }
        catch (Exception broken) when (broken is IOException or HttpRequestException)
        {
            return (text.ToString(), true);
        }
    }
}

using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Serving.Server.Peers;
using Serving.Server.Tests.Ensembles;
using Serving.Server.Tests.Hosting;
using Serving.Server.Tests.Telemetry;

namespace Serving.Server.Tests.Peers;

public sealed class RemoteExpertsTests : IAsyncLifetime
{
    private static readonly string[] Models = ["a", "b", "a+b", "b+a"];

    private readonly ExpertsFolder _folder = ExpertsFolder.Create();

    private RunningServer Peer { get; set; } = null!;

    public async ValueTask InitializeAsync() => Peer = await StartPeerAsync();

    public async ValueTask DisposeAsync()
    {
        await Peer.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task Answer_OfRemoteExperts_IsTheSameBytesAsInOneProcess()
    {
        await using RunningServer front = await StartFrontAsync("f32", AddressOf(Peer));
        foreach (string model in Models)
        {
            foreach (string sampling in (string[])["\"temperature\":0", "\"temperature\":1.1,\"seed\":7,\"n\":3"])
            {
                string body = $$"""{"model":"{{model}}","prompt":["Hello","Hello you"],"max_tokens":20,"ignore_eos":true,"logprobs":5,{{sampling}}}""";
                JsonElement near = await Peer.CompleteJsonAsync(body), far = await front.CompleteJsonAsync(body);
                Assert.Equal(near.GetProperty("choices").GetRawText(), far.GetProperty("choices").GetRawText());
                Assert.Equal(near.GetProperty("system_fingerprint").GetString(), far.GetProperty("system_fingerprint").GetString());
            }
        }
    }

    [Theory]
    [InlineData("f16")]
    [InlineData("top-128")]
    public async Task Answer_InFewerBytes_IsNearTheSame(string logits)
    {
        await using RunningServer front = await StartFrontAsync(logits, AddressOf(Peer));
        const string Body = """{"model":"a+b","prompt":"Hello","max_tokens":1,"temperature":0,"logprobs":3,"ignore_eos":true}""";
        float near = FirstLogprob(await Peer.CompleteJsonAsync(Body)), far = FirstLogprob(await front.CompleteJsonAsync(Body));
        Assert.Equal(near, far, logits == "f16" ? 0.01f : 0.5f);
    }

    [Fact]
    public async Task Peer_GoneInTheMiddle_ItsStateIsReplayedElsewhereAndTheAnswerIsTheSame()
    {
        RunningServer second = await StartPeerAsync();
        await using RunningServer front = await StartFrontAsync("f32", AddressOf(second), AddressOf(Peer));
        const string Body = """{"model":"a+b","prompt":"Hello","max_tokens":40,"temperature":1,"seed":5,"ignore_eos":true,"stream":true}""";
        List<string> expected = await Peer.CompleteEventsAsync(Body);
        using HttpResponseMessage running = await front.CompleteAsync(Body);
        await second.DisposeAsync();
        string text = await running.Content.ReadAsStringAsync();
        List<string> events = [.. text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries)];
        Assert.Equal("data: [DONE]", events[^1]);
        Assert.Equal(TextOf(expected), TextOf([.. events.Select(each => each["data: ".Length..])]));
        for (int i = 0; i < 3; i++)
            Assert.Equal(TextOf(expected), TextOf(await front.CompleteEventsAsync(Body)));
    }

    [Fact]
    public async Task Peers_AllGone_Is503AndNeverASmallerAverage()
    {
        RunningServer only = await StartPeerAsync();
        await using RunningServer front = await StartFrontAsync("f32", AddressOf(only));
        await only.DisposeAsync();
        for (int i = 0; i < 5; i++)
        {
            using HttpResponseMessage refused = await front.CompleteAsync("""{"model":"a+b","prompt":"Hello","max_tokens":4}""");
            Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
            Assert.Contains("member_unavailable", await refused.Content.ReadAsStringAsync());
            Assert.True(refused.Headers.Contains("Retry-After"));
        }
        Exposition metrics = Exposition.Parse(await front.Client.GetStringAsync("/metrics"));
        Assert.Equal(1, metrics.Sum("serving_peer_replicas", "model_name=\"b\",state=\"open\""));
        Assert.True(metrics.Sum("serving_peer_attempts_total", "outcome=\"failure\"") > 0);
    }

    [Fact]
    public async Task Peer_ThatAcceptsAndNeverAnswers_IsOvertakenByAnother()
    {
        using var hole = new BlackHole();
        await using RunningServer front = await StartFrontAsync("f32", AddressOf(Peer), hole.Address);
        const string Body = """{"model":"b","prompt":"Hello","max_tokens":10,"ignore_eos":true,"temperature":0}""";
        string expected = (await Peer.CompleteJsonAsync(Body)).GetProperty("choices").GetRawText();
        Assert.Equal(expected, (await front.CompleteJsonAsync(Body)).GetProperty("choices").GetRawText());
        Assert.Equal(expected, (await front.CompleteJsonAsync(Body.Replace("Hello", "Hello", StringComparison.Ordinal))).GetProperty("choices").GetRawText());
    }

    [Fact]
    public async Task Peers_NoneAnswersInTime_TheTotalTimeIsKept()
    {
        RunningServer only = await StartPeerAsync();
        using var hole = new BlackHole();
        await using RunningServer front = await StartFrontAsync("f32", AddressOf(only), hole.Address);
        await only.DisposeAsync();
        long start = Stopwatch.GetTimestamp();
        using HttpResponseMessage refused = await front.CompleteAsync("""{"model":"b","prompt":"Hello","max_tokens":4}""");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, 0, 4);
    }

    [Theory]
    [InlineData("glyph-en")]
    [InlineData("a=ftp://x")]
    [InlineData("a=http://x,a=http://y")]
    [InlineData("a=http://x|nothing")]
    public void Problems_MalformedSetting_NamesItsForm(string models) =>
        Assert.Contains("Serving:Remote:Models must be as", Assert.Single(RemoteModels.Problems(new() { Models = models })), StringComparison.Ordinal);

    private static string TextOf(List<string> events) => string.Concat(events.SkipLast(1).Select(each =>
        JsonDocument.Parse(each).RootElement.GetProperty("choices")[0].GetProperty("text").GetString()));

    private static float FirstLogprob(JsonElement answer) =>
        answer.GetProperty("choices")[0].GetProperty("logprobs").GetProperty("token_logprobs")[0].GetSingle();

    private static string AddressOf(RunningServer server) =>
        server.App.Services.GetServices<IHostedService>().OfType<PeerListener>().Single().Urls.Single();

    private Task<RunningServer> StartPeerAsync() => RunningServer.StartAsync(null, _folder.Setting, "Include=a,b", "Peers:Urls=http://127.0.0.1:0");

    private Task<RunningServer> StartFrontAsync(string logits, params string[] peers) => RunningServer.StartAsync(
        null, _folder.Setting, "Include=a,b", $"Remote:Models=b={string.Join('|', peers)}", $"Remote:Logits={logits}",
        "Remote:HedgeMilliseconds=300", "Remote:AttemptMilliseconds=1000", "Remote:TotalMilliseconds=2500");
}

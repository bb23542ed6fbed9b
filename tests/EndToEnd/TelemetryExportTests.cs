using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Serving.EndToEnd.Faults;
using Serving.Testing;

namespace Serving.EndToEnd;

public sealed class TelemetryExportTests
{
    private const string Canary = "Hello";

    [Fact]
    public async Task Otlp_CollectorNamed_GetsSpansMetricsAndLogsWithoutAnyText()
    {
        using var collector = new Collector();
        var environment = new Dictionary<string, string>
        {
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.Address,
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
        };
        await using ServerProcess server = await ServerProcess.StartInAsync(TestData.Path("checkpoints"), [], environment);
        using HttpRequestMessage request = Load.Post(Load.Body("plain", 6));
        request.Headers.Add("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        request.Headers.Add("x-request-id", "traced-1");
        Assert.True((await server.Client.SendAsync(request)).IsSuccessStatusCode);
        await server.SignalAsync("TERM");
        Assert.Equal(0, await server.WaitForExitAsync());

        string traces = collector.Received("/v1/traces"), metrics = collector.Received("/v1/metrics"), logs = collector.Received("/v1/logs");
        foreach (string name in (string[])["text_completion plain", "queue", "prefill", "decode", "gen_ai.operation.name", "gen_ai.usage.output_tokens",
            "gen_ai.response.finish_reasons", "traced-1"])
            Assert.Contains(name, traces);
        Assert.Contains(Encoding.Latin1.GetString(Convert.FromHexString("0af7651916cd43dd8448eb211c80319c")), traces);
        foreach (string name in (string[])["gen_ai.server.request.duration", "gen_ai.server.time_to_first_token", "vllm.kv_cache_usage_perc", "dotnet.gc.collections"])
            Assert.Contains(name, metrics);
        Assert.Contains("answered 200", logs);
        Assert.Contains("traced-1", logs);
        Assert.All((string[])[traces, metrics, logs], sent => Assert.DoesNotContain(Canary, sent));
        Assert.DoesNotContain("/health", traces);
    }

    [Fact]
    public async Task Log_Usual_HasOneLineARequestAndNoPrompt()
    {
        await using ServerProcess server = await ServerProcess.StartInAsync(TestData.Path("checkpoints"), [], new Dictionary<string, string>());
        Assert.True((await server.Client.SendAsync(Load.Post(Load.Body("plain", 6)))).IsSuccessStatusCode);
        await server.SignalAsync("TERM");
        await server.WaitForExitAsync();
        string line = Assert.Single(server.Log, line => line.Contains("/v1/completions", StringComparison.Ordinal));
        Assert.All((string[])["RequestId", "Model", "PromptTokens", "CompletionTokens", "TtftMs", "Status"], name => Assert.Contains($"\"{name}\":", line));
        Assert.DoesNotContain(server.Log, each => each.Contains(Canary, StringComparison.Ordinal));
    }

    /// <summary>Takes whatever is exported and keeps it, a byte a character.</summary>
    private sealed class Collector : IDisposable
    {
        private readonly HttpListener _listener = new();
        private readonly ConcurrentDictionary<string, string> _received = new();

        public Collector()
        {
            Address = FreeAddress.Next().GetLeftPart(UriPartial.Authority);
            _listener.Prefixes.Add($"{Address}/");
            _listener.Start();
            _ = ListenAsync();
        }

        public string Address { get; }

        public string Received(string path) => _received.GetValueOrDefault(path, "");

        public void Dispose() => _listener.Close();

        private async Task ListenAsync()
        {
            try
            {
                while (true)
                    await KeepAsync(await _listener.GetContextAsync());
            }
            catch (Exception closed) when (closed is HttpListenerException or ObjectDisposedException)
            {
                // The test is over.
            }
        }

        private async Task KeepAsync(HttpListenerContext context)
        {
            using var body = new MemoryStream();
            await context.Request.InputStream.CopyToAsync(body);
            string text = Encoding.Latin1.GetString(body.ToArray());
            _received.AddOrUpdate(context.Request.Url!.AbsolutePath, text, (_, before) => before + text);
            context.Response.StatusCode = 200;
            context.Response.Close();
        }
    }
}

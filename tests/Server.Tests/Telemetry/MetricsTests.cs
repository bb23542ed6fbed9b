using System.Net;
using System.Text.Json;
using Serving.Server.Tests.Hosting;

namespace Serving.Server.Tests.Telemetry;

public sealed class MetricsTests
{
    private static readonly string[] Promised =
    [
        "gen_ai_server_request_duration_seconds", "gen_ai_server_time_to_first_token_seconds", "gen_ai_server_time_per_output_token_seconds",
        "vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:kv_cache_usage_perc", "vllm:cache_config_info",
        "vllm:prompt_tokens_total", "vllm:generation_tokens_total", "vllm:request_success_total", "vllm:time_to_first_token_seconds",
        "vllm:inter_token_latency_seconds", "vllm:request_time_per_output_token_seconds", "vllm:e2e_request_latency_seconds",
        "vllm:request_queue_time_seconds", "vllm:prefix_cache_queries_total", "vllm:prefix_cache_hits_total", "vllm:num_preemptions_total",
        "http_server_request_duration_seconds", "kestrel_active_connections", "dotnet_gc_collections_total", "serving_weights_shared_bytes",
        "serving_model_load_duration_seconds", "serving_memory_used_bytes", "serving_memory_limit_bytes", "serving_memory_pressure",
        "serving_model_bytes", "serving_model_state", "serving_engine_steps_total", "serving_ensemble_disagreement_total",
        "serving_ensemble_attributed_tokens_total", "serving_speculation_drafted_tokens_total", "serving_speculation_accepted_tokens_total",
    ];

    [Fact]
    public async Task Scrape_AfterRequests_IsStrictlyWellFormedAndHasAllThatIsPromised()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.CompleteJsonAsync("""{"model":"plain","prompt":"Hello","max_tokens":7,"ignore_eos":true}""");
        await server.CompleteJsonAsync("""{"model":"plain+interleaved","prompt":"Hello","max_tokens":3,"ignore_eos":true,"n":2}""");
        await server.CompleteJsonAsync("""{"model":"nobody","prompt":"Hello"}""");
        using HttpResponseMessage response = await server.Client.GetAsync("/metrics");
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", response.Content.Headers.ContentType!.ToString());
        Exposition read = Exposition.Parse(await response.Content.ReadAsStringAsync());
        Assert.All(Promised, name => Assert.Contains(name, read.Types.Keys));
        Assert.Equal(7, read.Sum("vllm:generation_tokens_total", "\"plain\""));
        Assert.Equal(6, read.Sum("vllm:generation_tokens_total", "(unnamed ensemble)"));
        Assert.Equal(5, read.Sum("vllm:prompt_tokens_total", "\"plain\""));
        Assert.Equal(1, read.Sum("vllm:request_success_total", "model_name=\"plain\",finished_reason=\"length\""));
        Assert.Equal(6, read.Sum("vllm:inter_token_latency_seconds_count", "\"plain\""));
        Assert.Equal(1, read.Sum("gen_ai_server_request_duration_seconds_count", "error_type=\"model_not_found\""));
        Assert.Equal(1, read.Sum("gen_ai_server_request_duration_seconds_count", "gen_ai_request_model=\"plain\""));
        Assert.Equal(0, read.Sum("vllm:num_requests_running"));
        Assert.Equal(read.Sum("serving_model_state", "state=\"ready\""), read.Samples.Keys.Count(key => key.Contains("serving_model_bytes", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Scrape_OfAnEnsembleThatTellsItsExperts_SumsTheDisagreementItAnswers()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        JsonElement answer = await server.CompleteJsonAsync("""{"model":"plain+interleaved","prompt":"Hello","max_tokens":5,"ignore_eos":true,"expert_logprobs":true}""");
        double[] told = [.. answer.GetProperty("choices")[0].GetProperty("expert_logprobs").GetProperty("disagreement").EnumerateArray().Select(each => each.GetDouble())];
        Exposition read = await ScrapeAsync(server);
        Assert.Equal(5, told.Length);
        Assert.Equal(5, read.Sum("serving_ensemble_attributed_tokens_total"));
        Assert.True(told.Sum() > 0);
        Assert.Equal(told.Sum(), read.Sum("serving_ensemble_disagreement_total"), 1e-5);
    }

    [Fact]
    public async Task Scrape_GatewayMetrics_AllNameTheirModel()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.CompleteJsonAsync("""{"model":"plain","prompt":"Hello","max_tokens":7,"ignore_eos":true}""");
        Exposition read = await ScrapeAsync(server);
        Assert.All(read.Samples.Keys.Where(key => key.StartsWith("vllm:", StringComparison.Ordinal)), key => Assert.Contains("model_name=\"", key, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Scrape_UnderAScriptedLoad_TellsRunningWaitingAndKvExactly()
    {
        await using GatedServer gated = await GatedServer.StartAsync("Batch:MaxRunning=2");
        Task<HttpResponseMessage>[] requests = [.. Enumerable.Range(0, 5).Select(i => gated.Server.CompleteAsync(
            $$"""{"model":"plain","prompt":"{{new string((char)('a' + i), 20)}}","max_tokens":4,"ignore_eos":true}"""))];
        await RunningServer.UntilAsync(() => gated.Model.Engine.Statistics is { } all && all.RunningRequests + all.WaitingRequests == 5);
        gated.Backend.Allow(1);
        await RunningServer.UntilAsync(() => gated.Model.Engine.Statistics is { RunningRequests: 2, WaitingRequests: 3 });
        Exposition busy = await ScrapeAsync(gated.Server);
        Assert.Equal(2, busy.Sum("vllm:num_requests_running", "\"plain\""));
        Assert.Equal(3, busy.Sum("vllm:num_requests_waiting", "\"plain\""));
        Assert.Equal(4.0 / 256, busy.Sum("vllm:kv_cache_usage_perc", "\"plain\""));
        gated.Backend.Allow(100);
        foreach (Task<HttpResponseMessage> request in requests)
            (await request).Dispose();
        await RunningServer.UntilAsync(() => gated.IsIdle);
        Assert.Equal(0, (await ScrapeAsync(gated.Server)).Sum("vllm:kv_cache_usage_perc", "\"plain\""));
    }

    [Fact]
    public async Task Scrape_Again_NoCounterFalls()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        Exposition before = await ScrapeAsync(server);
        for (int round = 0; round < 30; round++)
        {
            await server.CompleteJsonAsync("""{"model":"plain+interleaved","prompt":"Hello","max_tokens":2}""");
            if (round % 5 == 0)
                (await server.Client.PostAsync("/v1/models/plain/load", null)).EnsureSuccessStatusCode();
            Exposition after = await ScrapeAsync(server);
            string[] counters = [.. after.Types.Where(type => type.Value is "counter").Select(type => type.Key)];
            Assert.All(before.Samples.Where(sample => counters.Contains(sample.Key.Split('{')[0])),
                sample => Assert.True(after.Samples[sample.Key] >= sample.Value, sample.Key));
            before = after;
        }
    }

    [Fact]
    public async Task Scrape_StrangeMethodsPathsAndModels_DoesNotGrow()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.CompleteJsonAsync("""{"model":"x","prompt":"y"}""");
        using var warm = new HttpRequestMessage(new HttpMethod("WARM"), "/warm");
        (await server.Client.SendAsync(warm)).Dispose();
        await ScrapeAsync(server);
        int before = (await ScrapeAsync(server)).Samples.Count;
        for (int i = 0; i < 200; i++)
        {
            using var strange = new HttpRequestMessage(new HttpMethod($"M{i}"), $"/p{i}");
            using HttpResponseMessage answer = await server.Client.SendAsync(strange);
            Assert.NotEqual(HttpStatusCode.InternalServerError, answer.StatusCode);
            await server.CompleteJsonAsync($$"""{"model":"m{{i}}","prompt":"y","user":"u{{i}}"}""");
        }
        Exposition after = await ScrapeAsync(server);
        Assert.True(after.Samples.Count <= before + 50, $"{before} became {after.Samples.Count}");
    }

    private static async Task<Exposition> ScrapeAsync(RunningServer server) =>
        Exposition.Parse(await server.Client.GetStringAsync("/metrics"));
}

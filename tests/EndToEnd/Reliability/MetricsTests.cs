using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Serving.Testing;

namespace Serving.EndToEnd.Reliability;

/// <summary>R41: what callers write never becomes a label.</summary>
public sealed class MetricsTests
{
    [Fact]
    public async Task Metrics_ManyMethodsPathsModelsAndUsers_StaySmall()
    {
        await using ServerProcess server = await ServerProcess.StartAsync(TestData.Path("checkpoints"));
        await AskAsync(server, 0);
        string before = await server.Client.GetStringAsync("/metrics");
        int all = Count.Of(few: 1_000, full: 10_000);
        await Parallel.ForAsync(1, all + 1, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (i, _) => await AskAsync(server, i));
        string after = await server.Client.GetStringAsync("/metrics");
        int grown = Lines(after) - Lines(before);
        Count.Record("R41", $"{all} methods, paths, models, users and key names of their own: /metrics grew by {grown} lines to {after.Length / 1024} KiB");
        Assert.True(grown <= 50, $"{grown} lines more");
        Assert.True(after.Length <= 200_000, $"{after.Length} characters");
        Assert.DoesNotContain("canary", after);
    }

    private static int Lines(string text) => text.Count(character => character == '\n');

    // One of a kind in every way: two of these are answered, four are not.
    private static async Task AskAsync(ServerProcess server, int i)
    {
        await SendAsync(server, new HttpMethod($"CANARY{i}"), "/v1/models", null);
        await SendAsync(server, HttpMethod.Get, $"/canary{i}/v1", null);
        await SendAsync(server, HttpMethod.Get, $"/v1/models/canary{i}", null);
        await SendAsync(server, HttpMethod.Get, $"/v1/models/plain?canary{i}=1", null);
        await SendAsync(server, HttpMethod.Post, "/v1/completions", new { model = $"canary{i}", prompt = "x" });
        await SendAsync(server, HttpMethod.Post, "/v1/completions", new { model = "plain", prompt = "x", max_tokens = 1, user = $"canary{i}" });
    }

    private static async Task SendAsync(ServerProcess server, HttpMethod method, string path, object? body)
    {
        using var request = new HttpRequestMessage(method, path);
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("canary", path.GetHashCode(StringComparison.Ordinal).ToString("x", null)));
        if (body is not null)
            request.Content = new StringContent(JsonSerializer.Serialize(body), Encoding.UTF8, "application/json");
        (await server.Client.SendAsync(request)).Dispose();
    }
}

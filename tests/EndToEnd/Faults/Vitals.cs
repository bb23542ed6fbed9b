using System.Globalization;
using System.Net;

namespace Serving.EndToEnd.Faults;

/// <summary>Whether a server is as healthy as before a fault: the same process, ready, the same answer, nothing held.</summary>
internal sealed class Vitals
{
    private readonly ServerProcess _server;
    private readonly string _golden;
    private readonly string _before;

    private Vitals(ServerProcess server, string golden, string before) => (_server, _golden, _before) = (server, golden, before);

    /// <summary>Takes them before the fault.</summary>
    public static async Task<Vitals> OfAsync(ServerProcess server, string model = "plain")
    {
        string golden = Load.Body(model, 20);
        return new Vitals(server, golden, await AnswerAsync(server, golden));
    }

    /// <summary>Checks them after it.</summary>
    public async Task CheckAsync()
    {
        await ServerProcess.UntilAsync(async () => await HeldAsync(_server) == (0, 0, 0));
        Assert.Equal(HttpStatusCode.OK, (await _server.Client.GetAsync("/health/ready")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await _server.Client.GetAsync("/health/live")).StatusCode);
        Assert.Equal(_before, await AnswerAsync(_server, _golden));
        Assert.DoesNotContain(_server.Log, line => line.Contains("\"@l\":\"Error\"", StringComparison.Ordinal) || line.Contains("\"@l\":\"Fatal\"", StringComparison.Ordinal));
    }

    /// <summary>Requests that run and wait, and the share of K/V in use.</summary>
    public static async Task<(double Running, double Waiting, double Kv)> HeldAsync(ServerProcess server)
    {
        string metrics = await server.Client.GetStringAsync("/metrics");
        return (Sum(metrics, "vllm:num_requests_running"), Sum(metrics, "vllm:num_requests_waiting"), Sum(metrics, "vllm:kv_cache_usage_perc"));
    }

    /// <summary>The sum of a metric's samples.</summary>
    public static double Sum(string metrics, string name, string label = "") => metrics.Split('\n')
        .Where(line => (line.StartsWith($"{name}{{", StringComparison.Ordinal) || line.StartsWith($"{name} ", StringComparison.Ordinal)) && line.Contains(label, StringComparison.Ordinal))
        .Sum(line => double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture));

    public static async Task<double> ResidentMiBAsync(ServerProcess server) =>
        Sum(await server.Client.GetStringAsync("/metrics"), "serving_memory_used_bytes") / (1 << 20);

    private static async Task<string> AnswerAsync(ServerProcess server, string golden)
    {
        using HttpResponseMessage response = await server.Client.SendAsync(Load.Post(golden));
        string text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        return new Load.Outcome(response.StatusCode, text, null, null).Answer();
    }
}

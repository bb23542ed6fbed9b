using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using Serving.Server.Tests.Hosting;
using Serving.Server.Tests.Telemetry;
using Serving.Testing;

namespace Serving.Server.Tests.Deployment;

public sealed partial class MonitoringTests
{
    private static readonly string Folder = Path.Combine(TestData.RepositoryRoot, "k8s", "components");

    [Fact]
    public async Task DashboardsAlertsAndScalers_NameOnlyMetricsThatExist()
    {
        // A front with a peer of its own: everything that can be measured is.
        await using RunningServer peer = await RunningServer.StartAsync(null, "Peers:Urls=http://127.0.0.1:0");
        string address = peer.App.Services.GetServices<Microsoft.Extensions.Hosting.IHostedService>().OfType<Serving.Server.Peers.PeerListener>().Single().Urls.Single();
        await using RunningServer front = await RunningServer.StartAsync(null, $"Remote:Models=plain={address}");
        await front.CompleteJsonAsync("""{"model":"plain","prompt":"Hello","max_tokens":4,"ignore_eos":true}""");
        HashSet<string> known = [.. Exposition.Parse(await front.Client.GetStringAsync("/metrics")).Samples.Keys.Select(key => key.Split('{')[0])];
        string[] expressions = [.. Dashboard(), .. Alerts(), .. Scalers()];
        Assert.True(expressions.Length > 25);
        foreach (string expression in expressions)
        {
            string[] names = [.. MetricName().Matches(QuotedOrBraced().Replace(expression, "")).Select(match => match.Value)];
            Assert.NotEmpty(names);
            Assert.All(names, name => Assert.Contains(name, known));
        }
    }

    [Fact]
    public async Task AdapterName_IsTheMetricWithoutItsColon()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        string metrics = await server.Client.GetStringAsync("/metrics");
        string name = Manifest.Load(Path.Combine(TestData.RepositoryRoot, "k8s", "base", "hpa.yaml")).Single().Text("spec.metrics.0.pods.metric.name");
        Assert.Contains($"\n{name.Replace("vllm_", "vllm:", StringComparison.Ordinal)}{{", metrics);
    }

    private static IEnumerable<string> Dashboard()
    {
        using JsonDocument dashboard = JsonDocument.Parse(File.ReadAllText(Path.Combine(Folder, "monitoring", "dashboard.json")));
        return [.. dashboard.RootElement.GetProperty("panels").EnumerateArray()
            .SelectMany(panel => panel.GetProperty("targets").EnumerateArray()).Select(target => target.GetProperty("expr").GetString()!)];
    }

    private static IEnumerable<string> Alerts() => Manifest.Load(Path.Combine(Folder, "monitoring", "alerts.yaml")).Single()
        .List("spec.groups.0.rules").Select(rule => rule.Text("expr"));

    private static IEnumerable<string> Scalers() =>
        [Manifest.Load(Path.Combine(Folder, "keda", "scaledobject.yaml")).Single().Text("spec.triggers.0.metadata.query")];

    [GeneratedRegex(@"\{[^}]*\}|\[[^\]]*\]|\bby \([^)]*\)")]
    private static partial Regex QuotedOrBraced();

    [GeneratedRegex(@"\b(?:vllm:|serving_|http_|dotnet_|gen_ai_|kestrel_)[a-z0-9_]+")]
    private static partial Regex MetricName();
}

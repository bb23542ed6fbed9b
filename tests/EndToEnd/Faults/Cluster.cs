using Serving.Testing;

namespace Serving.EndToEnd.Faults;

/// <summary>Three replicas behind a real nginx, as an ingress would have them.</summary>
internal sealed class Cluster : IAsyncDisposable
{
    private readonly CheckpointCopies _models = new();
    private readonly Uri[] _urls = [.. Enumerable.Range(0, 3).Select(_ => FreeAddress.Next())];
    private readonly ServerProcess[] _replicas = new ServerProcess[3];
    private Nginx _nginx = null!;

    public Uri Url => _nginx.Url;

    public ServerProcess this[int replica] => _replicas[replica];

    /// <summary>Whether nginx is installed.</summary>
    public static bool IsPossible => Nginx.IsInstalled;

    /// <param name="retriesPosts">Whether nginx may send a request elsewhere that a replica did not answer.</param>
    public static async Task<Cluster> StartAsync(bool retriesPosts = true)
    {
        var cluster = new Cluster();
        cluster._models.Add("plain", "plain");
        cluster._models.AddEndless("endless");
        await Task.WhenAll(Enumerable.Range(0, 3).Select(cluster.StartReplicaAsync));
        cluster._nginx = new Nginx(cluster._urls, retriesPosts);
        await cluster._nginx.ReadyAsync();
        return cluster;
    }

    /// <summary>Starts a replica where it was before.</summary>
    public async Task StartReplicaAsync(int replica) =>
        _replicas[replica] = await ServerProcess.StartAtAsync(_urls[replica], _models.Path);

    /// <summary>Ends a replica without a word.</summary>
    public Task KillAsync(int replica) => _replicas[replica].SignalAsync("KILL");

    /// <summary>Ends a replica in order, starts it again, and waits until nginx, under load, sends it requests again.</summary>
    /// <remarks>nginx leaves a replica that failed alone for a second; whoever ends the next one before that, as a rollout without
    /// <c>minReadySeconds</c> would, soon has no replica left.</remarks>
    /// <returns>Its exit code.</returns>
    public async Task<int> RestartAsync(int replica)
    {
        await _replicas[replica].SignalAsync("TERM");
        int exitCode = await _replicas[replica].WaitForExitAsync();
        await _replicas[replica].DisposeAsync();
        await StartReplicaAsync(replica);
        await ServerProcess.UntilAsync(async () =>
            (await _replicas[replica].Client.GetStringAsync("/metrics")).Contains("vllm:request_success_total{", StringComparison.Ordinal));
        return exitCode;
    }

    public async ValueTask DisposeAsync()
    {
        await _nginx.DisposeAsync();
        foreach (ServerProcess replica in _replicas)
            await replica.DisposeAsync();
        _models.Dispose();
    }
}

using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Serving.Testing;

namespace Serving.EndToEnd.Faults;

/// <summary>Three replicas behind a real nginx, as an ingress would have them.</summary>
internal sealed class Cluster : IAsyncDisposable
{
    private const string Configuration = """
        daemon off; master_process off; pid PID; error_log stderr crit;
        events { worker_connections 4096; }
        http {
          access_log off;
          client_body_temp_path TMP/body; proxy_temp_path TMP/proxy; fastcgi_temp_path TMP/f; uwsgi_temp_path TMP/u; scgi_temp_path TMP/s;
          upstream serving { UPSTREAMS keepalive 64; }
          server {
            listen 127.0.0.1:PORT;
            location / {
              proxy_pass http://serving;
              proxy_http_version 1.1;
              proxy_set_header Connection "";
              proxy_buffering off;
              proxy_read_timeout 300s;
              proxy_next_upstream NEXT;
            }
          }
        }
        """;

    private readonly CheckpointCopies _models = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("serving-nginx-").FullName;
    private readonly Uri[] _urls = [.. Enumerable.Range(0, 3).Select(_ => FreeAddress())];
    private readonly ServerProcess[] _replicas = new ServerProcess[3];
    private Process _nginx = null!;

    public Uri Url { get; } = FreeAddress();

    public ServerProcess this[int replica] => _replicas[replica];

    /// <summary>Whether nginx is installed.</summary>
    public static bool IsPossible => NginxPath is not null;

    private static string? NginxPath => ((string[])["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"]).FirstOrDefault(File.Exists);

    /// <param name="retriesPosts">Whether nginx may send a request elsewhere that a replica did not answer.</param>
    public static async Task<Cluster> StartAsync(bool retriesPosts = true)
    {
        var cluster = new Cluster();
        cluster._models.Add("plain", "plain");
        cluster._models.AddEndless("endless");
        await Task.WhenAll(Enumerable.Range(0, 3).Select(cluster.StartReplicaAsync));
        cluster.StartNginx(retriesPosts ? "error timeout http_502 http_503 non_idempotent" : "error timeout http_502 http_503");
        using var client = new HttpClient { BaseAddress = cluster.Url };
        await ServerProcess.UntilAsync(async () =>
        {
            try
            {
                return (await client.GetAsync("/health/ready")).IsSuccessStatusCode;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        });
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

    /// <summary>An address on which nobody listens.</summary>
    public static Uri FreeAddress()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return new Uri($"http://127.0.0.1:{((IPEndPoint)probe.LocalEndpoint).Port}");
    }

    public async ValueTask DisposeAsync()
    {
        _nginx.Kill();
        await _nginx.WaitForExitAsync();
        _nginx.Dispose();
        foreach (ServerProcess replica in _replicas)
            await replica.DisposeAsync();
        _models.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private void StartNginx(string next)
    {
        string upstreams = string.Concat(_urls.Select(url => $"server {url.Authority} max_fails=1 fail_timeout=1s; "));
        string file = Path.Combine(_folder, "nginx.conf");
        File.WriteAllText(file, Configuration.Replace("PID", Path.Combine(_folder, "pid"), StringComparison.Ordinal)
            .Replace("TMP", _folder, StringComparison.Ordinal).Replace("UPSTREAMS", upstreams, StringComparison.Ordinal)
            .Replace("PORT", $"{Url.Port}", StringComparison.Ordinal).Replace("NEXT", next, StringComparison.Ordinal));
        _nginx = Process.Start(new ProcessStartInfo(NginxPath!, ["-c", file, "-p", _folder, "-e", "stderr"]) { RedirectStandardError = true })!;
        _nginx.ErrorDataReceived += (_, _) => { };
        _nginx.BeginErrorReadLine();
    }
}

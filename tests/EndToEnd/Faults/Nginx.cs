using System.Diagnostics;
using Serving.Testing;

namespace Serving.EndToEnd.Faults;

/// <summary>A real nginx before servers, as an ingress would be.</summary>
internal sealed class Nginx : IAsyncDisposable
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

    private readonly string _folder = Directory.CreateTempSubdirectory("serving-nginx-").FullName;
    private readonly Process _process;

    /// <summary>Starts it; <see cref="ReadyAsync"/> waits until it answers.</summary>
    /// <param name="upstreams">The servers.</param>
    /// <param name="retriesPosts">Whether it may send a request elsewhere that a server did not answer.</param>
    public Nginx(IEnumerable<Uri> upstreams, bool retriesPosts = true)
    {
        string servers = string.Concat(upstreams.Select(url => $"server {url.Authority} max_fails=1 fail_timeout=1s; "));
        string next = retriesPosts ? "error timeout http_502 http_503 non_idempotent" : "error timeout http_502 http_503";
        string file = Path.Combine(_folder, "nginx.conf");
        File.WriteAllText(file, Configuration.Replace("PID", Path.Combine(_folder, "pid"), StringComparison.Ordinal)
            .Replace("TMP", _folder, StringComparison.Ordinal).Replace("UPSTREAMS", servers, StringComparison.Ordinal)
            .Replace("PORT", $"{Url.Port}", StringComparison.Ordinal).Replace("NEXT", next, StringComparison.Ordinal));
        _process = Process.Start(new ProcessStartInfo(ProgramPath!, ["-c", file, "-p", _folder, "-e", "stderr"]) { RedirectStandardError = true })!;
        _process.ErrorDataReceived += (_, _) => { };
        _process.BeginErrorReadLine();
    }

    /// <summary>Whether nginx is installed.</summary>
    public static bool IsInstalled => ProgramPath is not null;

    public Uri Url { get; } = FreeAddress.Next();

    private static string? ProgramPath => ((string[])["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"]).FirstOrDefault(File.Exists);

    /// <summary>Waits until a server behind it is ready.</summary>
    public async Task ReadyAsync()
    {
        using var client = new HttpClient { BaseAddress = Url };
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
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}

using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Text;
using System.Text.Json;

namespace Serving.EndToEnd.Faults;

/// <summary>Many requests, so many at once; what came of each.</summary>
internal sealed class Load(Uri server) : IDisposable
{
    private readonly HttpClient _client = new(new SocketsHttpHandler { ResponseDrainTimeout = TimeSpan.Zero, ConnectTimeout = TimeSpan.FromSeconds(10) })
    {
        BaseAddress = server,
        Timeout = TimeSpan.FromSeconds(60),
    };

    private int _done;

    /// <summary>Requests that ended so far.</summary>
    public int Done => Volatile.Read(ref _done);

    public HttpClient Client => _client;

    public static string Body(string model, int maxTokens, bool stream = false, string more = "") =>
        $$"""{"model":"{{model}}","prompt":"Hello","max_tokens":{{maxTokens}},"temperature":0,"ignore_eos":true,"stream":{{(stream ? "true" : "false")}}{{more}}}""";

    public static HttpRequestMessage Post(string body) =>
        new(HttpMethod.Post, "/v1/completions") { Content = new StringContent(body, Encoding.UTF8, "application/json") };

    /// <summary>Sends requests and waits for all.</summary>
    public async Task<IReadOnlyList<Outcome>> RunAsync(int requests, int atOnce, Func<int, string> body)
    {
        var outcomes = new ConcurrentBag<Outcome>();
        await Parallel.ForEachAsync(Enumerable.Range(0, requests), new ParallelOptions { MaxDegreeOfParallelism = atOnce }, async (i, _) =>
        {
            outcomes.Add(await SendAsync(body(i), CancellationToken.None));
            Interlocked.Increment(ref _done);
        });
        return [.. outcomes];
    }

    public async Task<Outcome> SendAsync(string body, CancellationToken cancellation = default)
    {
        long start = Stopwatch.GetTimestamp();
        try
        {
            using HttpResponseMessage response = await _client.SendAsync(Post(body), HttpCompletionOption.ResponseHeadersRead, cancellation);
            string text = await response.Content.ReadAsStringAsync(cancellation);
            return new Outcome(response.StatusCode, text, response.Headers.TryGetValues("Retry-After", out var retry) ? retry.Single() : null, null)
            {
                Seconds = Stopwatch.GetElapsedTime(start).TotalSeconds,
            };
        }
        catch (Exception fault) when (fault is HttpRequestException or IOException or OperationCanceledException)
        {
            return new Outcome(null, "", null, fault.Message);
        }
    }

    public void Dispose() => _client.Dispose();

    /// <summary>What came of a request.</summary>
    /// <param name="Status">Null when there was no answer, or only a part of one.</param>
    /// <param name="Text">The body.</param>
    /// <param name="RetryAfter">The header.</param>
    /// <param name="Fault">Why there was no answer.</param>
    internal sealed record Outcome(HttpStatusCode? Status, string Text, string? RetryAfter, string? Fault)
    {
        /// <summary>From sending to the last byte.</summary>
        public double Seconds { get; init; }

        public bool IsWhole => Status == HttpStatusCode.OK && (Text.StartsWith('{') || Text.EndsWith("data: [DONE]\n\n", StringComparison.Ordinal));

        public string Answer() => JsonDocument.Parse(Text).RootElement.GetProperty("choices")[0].GetProperty("text").GetString()!;
    }
}

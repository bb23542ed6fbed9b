using System.Diagnostics;
using System.Net.ServerSentEvents;
using System.Text.Json;
using Serving.Server.CommandLine;

namespace Serving.Server.Benchmarks;

/// <summary>Any server with OpenAI's completions route: a load over HTTP, streamed.</summary>
/// <param name="http">Its base address is the server's.</param>
/// <param name="model">The field <c>model</c>.</param>
internal sealed class HttpTarget(HttpClient http, string model)
{
    public async Task<RequestTiming> SendAsync(int[] prompt, int outputTokens, CancellationToken cancellationToken)
    {
        var body = new
        {
            model,
            prompt,
            max_tokens = outputTokens,
            temperature = 0,
            stream = true,
            ignore_eos = true,
            stream_options = new { include_usage = true },
        };
        var arrivals = new List<TimeSpan>(outputTokens);
        int? counted = null;
        long start = Stopwatch.GetTimestamp();
        // With its length: llama-server reads no chunked bodies.
        using var content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body));
        content.Headers.ContentType = new("application/json");
        using var request = new HttpRequestMessage(HttpMethod.Post, "v1/completions") { Content = content };
        // A connection for each request: llama-server closes kept ones as it likes, and a POST cannot be sent twice.
        request.Headers.ConnectionClose = true;
        using HttpResponseMessage response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        if (!response.IsSuccessStatusCode)
        {
            throw new CommandLineException(ExitCode.Failure, $"The server answered {(int)response.StatusCode}.",
                $"{http.BaseAddress}v1/completions", await response.Content.ReadAsStringAsync(cancellationToken));
        }
        await foreach (SseItem<string> item in SseParser.Create(await response.Content.ReadAsStreamAsync(cancellationToken)).EnumerateAsync(cancellationToken))
        {
            if (item.Data == "[DONE]")
                break;
            using JsonDocument chunk = JsonDocument.Parse(item.Data);
            if (chunk.RootElement.TryGetProperty("usage", out JsonElement usage) && usage.ValueKind == JsonValueKind.Object)
                counted = usage.GetProperty("completion_tokens").GetInt32();
            if (chunk.RootElement.TryGetProperty("choices", out JsonElement choices) && choices.GetArrayLength() > 0 && arrivals.Count < outputTokens)
                arrivals.Add(Stopwatch.GetElapsedTime(start));
        }
        return arrivals.Count > 0
            ? new RequestTiming(counted ?? arrivals.Count, arrivals)
            : throw new CommandLineException(ExitCode.Failure, "An answer of the server had no tokens.", $"{http.BaseAddress}", "Look at its log.");
    }
}

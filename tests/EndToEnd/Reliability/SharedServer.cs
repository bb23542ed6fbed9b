using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Serving.Testing;

namespace Serving.EndToEnd.Reliability;

/// <summary>One server process for all tests of the group; at their end it must still be well.</summary>
public sealed class SharedServer : IAsyncLifetime
{
    public const string Golden = """{"model":"plain","prompt":"Hello","max_tokens":20,"temperature":0,"ignore_eos":true,"logprobs":1}""";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(1);

    private string _golden = "";

    internal ServerProcess Process { get; private set; } = null!;

    public HttpClient Client => Process.Client;

    public async ValueTask InitializeAsync()
    {
        Process = await ServerProcess.StartAsync(TestData.Path("checkpoints"));
        _golden = await GoldenAsync();
    }

    /// <summary>Fails unless the server answers as it did at its start.</summary>
    public async Task AssertWellAsync() => Assert.Equal(_golden, await GoldenAsync());

    public Task<HttpResponseMessage> PostAsync(string path, HttpContent body, CancellationToken cancellation = default)
    {
        body.Headers.ContentType = new("application/json");
        return Client.PostAsync(path, body, cancellation);
    }

    public Task<HttpResponseMessage> PostAsync(string path, string body) => PostAsync(path, new StringContent(body));

    public async Task<JsonElement> AskAsync(string path, object body)
    {
        using HttpResponseMessage response = await Client.PostAsJsonAsync(path, body);
        string text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        return JsonDocument.Parse(text).RootElement;
    }

    /// <summary>The data of a stream's events, [DONE] included.</summary>
    public async Task<List<string>> EventsAsync(string path, object body)
    {
        using HttpResponseMessage response = await Client.PostAsJsonAsync(path, body);
        byte[] bytes = await response.Content.ReadAsByteArrayAsync();
        // Every line is UTF-8 by itself, or this throws.
        string text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes);
        return [.. text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Where(block => block.StartsWith("data: ", StringComparison.Ordinal))
            .Select(block => block["data: ".Length..])];
    }

    /// <summary>Sends bytes over a connection of their own and reads until the server closes it, or has said what it had to say.</summary>
    public async Task<string> RawAsync(byte[] request)
    {
        using var socket = new TcpClient { NoDelay = true };
        await socket.ConnectAsync(Client.BaseAddress!.Host, Client.BaseAddress.Port);
        NetworkStream stream = socket.GetStream();
        var answer = new MemoryStream();
        byte[] buffer = new byte[4096];
        try
        {
            await stream.WriteAsync(request);
            for (int read = 1; read > 0;)
            {
                using var silence = new CancellationTokenSource(answer.Length == 0 ? Patience : Silence);
                read = await stream.ReadAsync(buffer, silence.Token);
                answer.Write(buffer, 0, read);
            }
        }
        catch (Exception end) when (end is IOException or OperationCanceledException)
        {
            // Closed before everything was sent, or left open for the next request; what was said counts.
        }
        return Encoding.Latin1.GetString(answer.ToArray());
    }

    public async ValueTask DisposeAsync()
    {
        await AssertWellAsync();
        await Process.DisposeAsync();
    }

    private async Task<string> GoldenAsync()
    {
        using HttpResponseMessage response = await PostAsync("/v1/completions", Golden);
        return JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement.GetProperty("choices").GetRawText();
    }
}

[CollectionDefinition(nameof(SharedServer))]
public sealed class SharedServerGroup : ICollectionFixture<SharedServer>;

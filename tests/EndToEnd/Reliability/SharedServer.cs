using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Serving.EndToEnd.Faults;
using Serving.Testing;

namespace Serving.EndToEnd.Reliability;

/// <summary>One server process for all tests of the group; at their end it must still be well.</summary>
public sealed class SharedServer : IAsyncLifetime
{
    private Vitals _vitals = null!;

    internal ServerProcess Process { get; private set; } = null!;

    public HttpClient Client => Process.Client;

    public async ValueTask InitializeAsync()
    {
        Process = await ServerProcess.StartAsync(TestData.Path("checkpoints"));
        _vitals = await Vitals.OfAsync(Process);
    }

    /// <summary>Fails unless the server is as well as it was at its start: ready, nothing held, the same answer, no fault in its log.</summary>
    public Task AssertWellAsync() => _vitals.CheckAsync();

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
    /// <param name="request">What to send.</param>
    /// <param name="through">A proxy; null = straight to the server.</param>
    public Task<string> RawAsync(byte[] request, Uri? through = null) => RawHttp.SendAsync(through ?? Client.BaseAddress!, request);

    public async ValueTask DisposeAsync()
    {
        await AssertWellAsync();
        await Process.DisposeAsync();
    }
}

[CollectionDefinition(nameof(SharedServer))]
public sealed class SharedServerGroup : ICollectionFixture<SharedServer>;

using System.Net.Http.Json;
using System.Text.Json;
using Serving.EndToEnd;
using Serving.Testing;

namespace Serving.Conformance;

/// <summary>
/// The server that is asked: the bundled experts in a process of their own, or whatever the environment names in
/// <c>CONFORMANCE_BASE_URL</c>, with <c>CONFORMANCE_MODEL</c> and <c>CONFORMANCE_API_KEY</c>. One for all tests.
/// </summary>
public sealed class Target : IAsyncLifetime
{
    private ServerProcess? _server;

    public Uri Root { get; private set; } = null!;

    public static string Model { get; } = Environment.GetEnvironmentVariable("CONFORMANCE_MODEL") ?? "glyph-en";

    public static string Key { get; } = Environment.GetEnvironmentVariable("CONFORMANCE_API_KEY") is { Length: > 0 } key ? key : "none";

    public HttpClient Http { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        if (Environment.GetEnvironmentVariable("CONFORMANCE_BASE_URL") is { Length: > 0 } url)
            Root = new Uri(url);
        else
        {
            _server = await ServerProcess.StartAsync(Path.Combine(TestData.RepositoryRoot, "models"));
            Root = _server.Client.BaseAddress!;
        }
        Http = new HttpClient { BaseAddress = Root };
        Http.DefaultRequestHeaders.Authorization = new("Bearer", Key);
    }

    /// <summary>Posts a body and reads the answer.</summary>
    public async Task<JsonElement> PostAsync(string path, object body)
    {
        using HttpResponseMessage response = await Http.PostAsJsonAsync(path, body);
        JsonElement answer = await response.Content.ReadFromJsonAsync<JsonElement>();
        Assert.True(response.IsSuccessStatusCode, answer.ToString());
        return answer;
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        if (_server is not null)
            await _server.DisposeAsync();
    }
}

[CollectionDefinition(nameof(Target))]
public sealed class TargetGroup : ICollectionFixture<Target>;

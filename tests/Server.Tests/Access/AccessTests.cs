using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Serving.Server.Tests.Hosting;

namespace Serving.Server.Tests.Access;

public sealed class AccessTests
{
    private const string Body = """{"model":"plain","prompt":"Hi","max_tokens":4,"temperature":0,"ignore_eos":true}""";

    // No key, a wrong one, one for inference, one of an admin, at every operation that there is.
    [Fact]
    public async Task Routes_OfTheDocument_AskForAKeyOfTheirScopeUnlessTheyAreProbes()
    {
        await using RunningServer server = await RunningServer.StartAsync(null, Key(0, "alice", "secret"), Key(1, "root", "admin", "admin"));
        using JsonDocument document = JsonDocument.Parse(await server.Client.GetStringAsync("/openapi/v1.json"));
        List<string> forAdmins = [];
        foreach (JsonProperty path in document.RootElement.GetProperty("paths").EnumerateObject())
        {
            foreach (JsonProperty operation in path.Value.EnumerateObject())
            {
                string place = path.Name.Replace("{id}", "plain", StringComparison.Ordinal);
                bool isOpen = path.Name.StartsWith("/health", StringComparison.Ordinal) || path.Name == "/metrics";
                bool isForAdmins = operation.Value.GetProperty("responses").TryGetProperty("403", out _);
                HttpStatusCode denied = isOpen ? HttpStatusCode.OK : HttpStatusCode.Unauthorized;
                Assert.Equal(denied, await StatusAsync(server, operation.Name, place, null));
                Assert.Equal(denied, await StatusAsync(server, operation.Name, place, "secre"));
                HttpStatusCode inference = await StatusAsync(server, operation.Name, place, "secret");
                Assert.NotEqual(HttpStatusCode.Unauthorized, inference);
                Assert.Equal(isForAdmins, inference == HttpStatusCode.Forbidden);
                Assert.False(await StatusAsync(server, operation.Name, place, "admin") is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden);
                if (isForAdmins)
                    forAdmins.Add($"{operation.Name} {path.Name}");
            }
        }
        Assert.Equal(["delete /v1/ensembles/{name}", "post /v1/models/{id}/load", "post /v1/models/{id}/unload", "put /v1/ensembles/{name}"], forAdmins.Order());
    }

    [Theory]
    [InlineData("/v1/nope")]
    [InlineData("//v1/models")]
    [InlineData("/V1/models")]
    [InlineData("/v1/..;/models")]
    [InlineData("/health/../v1/models")]
    [InlineData("/%76%31/models")]
    [InlineData("/v1%2fmodels")]
    [InlineData("/health/live/x")]
    public async Task Path_Odd_IsDeniedOrUnknownWithoutAKey(string path)
    {
        await using RunningServer server = await RunningServer.StartAsync(null, Key(0, "alice", "secret"));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(server, "get", path, null));
    }

    [Theory]
    [InlineData("Bearer secret", true)]
    [InlineData("bearer  secret ", true)]
    [InlineData("Bearer Secret", false)]
    [InlineData("Bearer secret2", false)]
    [InlineData("Bearer ", false)]
    [InlineData("secret", false)]
    [InlineData("Basic secret", false)]
    public async Task Authorization_Header_IsReadAsBearer(string header, bool isRight)
    {
        await using RunningServer server = await RunningServer.StartAsync(null, Key(0, "alice", "secret"), Key(1, "bob", "other"));
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/models");
        request.Headers.TryAddWithoutValidation("Authorization", header);
        using HttpResponseMessage response = await server.Client.SendAsync(request);
        Assert.Equal(isRight ? HttpStatusCode.OK : HttpStatusCode.Unauthorized, response.StatusCode);
        if (isRight)
            return;
        JsonElement error = (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error");
        Assert.Equal(("invalid_api_key", "invalid_request_error"), (error.GetProperty("code").GetString(), error.GetProperty("type").GetString()));
        Assert.Equal("false", response.Headers.GetValues("x-should-retry").Single());
        Assert.Equal("Bearer", response.Headers.WwwAuthenticate.Single().Scheme);
    }

    // The header that some clients send when they have no key.
    [Fact]
    public async Task Authorization_WithoutKeysInTheConfiguration_IsNotLookedAt()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(server, "get", "/v1/models", ""));
    }

    [Fact]
    public async Task Requests_UsedUp_Are429WithWhenToComeBack()
    {
        await using RunningServer server = await RunningServer.StartAsync(
            null, Key(0, "alice", "a"), "Keys:0:RequestsPerMinute=2", "Keys:0:TokensPerMinute=1000", Key(1, "bob", "b"));
        using HttpResponseMessage first = await CompleteAsync(server, "a");
        Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        Assert.Equal(("2", "1"), (Header(first, "x-ratelimit-limit-requests"), Header(first, "x-ratelimit-remaining-requests")));
        Assert.Equal("1000", Header(first, "x-ratelimit-limit-tokens"));
        Assert.Matches("^[0-9.]+s$", Header(first, "x-ratelimit-reset-requests"));
        Assert.Matches("^[0-9.]+s$", Header(first, "x-ratelimit-reset-tokens"));
        using HttpResponseMessage second = await CompleteAsync(server, "a");
        // 6 of the 8 tokens that were at most needed were used; the rest came back.
        Assert.InRange(long.Parse(Header(second, "x-ratelimit-remaining-tokens"), CultureInfo.InvariantCulture), 980, 995);

        using HttpResponseMessage third = await CompleteAsync(server, "a");
        Assert.Equal(HttpStatusCode.TooManyRequests, third.StatusCode);
        Assert.InRange(int.Parse(Header(third, "Retry-After"), CultureInfo.InvariantCulture), 1, 30);
        Assert.Contains("\"code\":\"rate_limit_exceeded\"", await third.Content.ReadAsStringAsync());
        using HttpResponseMessage other = await CompleteAsync(server, "b");
        Assert.Equal(HttpStatusCode.OK, other.StatusCode);
        Assert.False(other.Headers.Contains("x-ratelimit-limit-requests"));
    }

    [Fact]
    public async Task Tokens_UsedUp_Are429()
    {
        await using RunningServer server = await RunningServer.StartAsync(null, Key(0, "alice", "a"), "Keys:0:TokensPerMinute=9");
        Assert.Equal(HttpStatusCode.OK, (await CompleteAsync(server, "a")).StatusCode);
        using HttpResponseMessage refused = await CompleteAsync(server, "a");
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.Contains("9 tokens a minute", await refused.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Keys_Several_LeaveEachOtherPlacesInTheQueue()
    {
        await using GatedServer gated = await GatedServer.StartAsync(
            "Queue:MaxRequests=6", "Batch:MaxRunning=2", Key(0, "alice", "a"), Key(1, "bob", "b"));
        List<Task<HttpResponseMessage>> greedy = [.. Enumerable.Range(0, 10).Select(_ => CompleteAsync(gated.Server, "a"))];
        // Half of the eight places are one key's; nothing finishes before the gate opens.
        await RunningServer.UntilAsync(() => greedy.Count(request => request.IsCompleted) == 6);
        Assert.All(greedy.Where(request => request.IsCompleted), request => Assert.Equal(HttpStatusCode.TooManyRequests, request.Result.StatusCode));
        Task<HttpResponseMessage> other = CompleteAsync(gated.Server, "b");
        await RunningServer.UntilAsync(() => gated.Model.Engine.Statistics.WaitingRequests + gated.Model.Engine.Statistics.RunningRequests == 5);
        gated.Backend.Allow(1000);
        Assert.Equal(HttpStatusCode.OK, (await other).StatusCode);
        Assert.Equal(4, (await Task.WhenAll(greedy)).Count(response => response.StatusCode == HttpStatusCode.OK));
    }

    internal static string Key(int index, string name, string key, string scope = "inference") =>
        $"Keys:{index}:Name={name}\n--Serving:Keys:{index}:Sha256={Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(key)))}\n"
        + $"--Serving:Keys:{index}:Scope={scope}";

    private static string Header(HttpResponseMessage response, string name) => response.Headers.GetValues(name).Single();

    private static Task<HttpResponseMessage> CompleteAsync(RunningServer server, string key)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions") { Content = new StringContent(Body, Encoding.UTF8, "application/json") };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return server.Client.SendAsync(request);
    }

    private static async Task<HttpStatusCode> StatusAsync(RunningServer server, string method, string path, string? key)
    {
        var address = new Uri(server.Client.BaseAddress!.GetLeftPart(UriPartial.Authority) + path, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        using var request = new HttpRequestMessage(new HttpMethod(method.ToUpperInvariant()), address);
        if (method == "post")
            request.Content = new StringContent(Body, Encoding.UTF8, "application/json");
        if (key is not null)
            request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {key}");
        using HttpResponseMessage response = await server.Client.SendAsync(request);
        return response.StatusCode;
    }
}

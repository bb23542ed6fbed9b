using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Serving.Server.Access;
using Serving.Testing;

namespace Serving.EndToEnd.Reliability;

/// <summary>R36, R37, R38 and R42: wrong keys, what they tell by time, ways around them, and what the log keeps of requests.</summary>
public sealed class AccessTests : IAsyncLifetime
{
    private const string Key = "sk-rightrightrightrightrightright";
    private const string AdminKey = "sk-adminadminadminadminadminadmin";
    private const string Body = """{"model":"plain","prompt":"x","max_tokens":1}""";

    private ServerProcess _server = null!;

    public async ValueTask InitializeAsync() => _server = await ServerProcess.StartAsync(TestData.Path("checkpoints"),
        "--Serving:Keys:0:Name=alice", $"--Serving:Keys:0:Sha256={HashOf(Key)}",
        "--Serving:Keys:1:Name=root", $"--Serving:Keys:1:Sha256={HashOf(AdminKey)}", "--Serving:Keys:1:Scope=admin");

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task WrongKeys_Many_AreAllRefusedWhileTheRightOneWorks()
    {
        await Parallel.ForAsync(0, Count.Of(few: 400, full: 10_000), new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (i, _) =>
        {
            bool isRight = i % 20 == 0;
            using HttpResponseMessage response = await PostAsync(isRight ? Key : $"sk-wrong{i}{Key[..(i % Key.Length)]}");
            Assert.Equal(isRight ? HttpStatusCode.OK : HttpStatusCode.Unauthorized, response.StatusCode);
        });
        await _server.SignalAsync("TERM");
        await _server.WaitForExitAsync();
        Assert.DoesNotContain(_server.Log, line => line.Contains("sk-", StringComparison.Ordinal));
        Assert.Contains(_server.Log, line => line.Contains("\"Key\":\"alice\"", StringComparison.Ordinal));
    }

    [Fact]
    public async Task WrongKeys_HalfRightAndAllWrong_TakeTheSameTime()
    {
        Assert.SkipUnless(Count.IsFull, "A timing says nothing on a busy machine: RELIABILITY=full.");
        var samples = new List<double>[] { [], [] };
        var random = new Random(37);
        string[][] wrong = WrongKeys(random);
        for (int i = 0; i < 40_000; i++)
        {
            int kind = random.Next(2);
            string key = wrong[kind][random.Next(wrong[kind].Length)];
            long start = Stopwatch.GetTimestamp();
            using HttpResponseMessage response = await PostAsync(key);
            samples[kind].Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        AssertSameTime("R37", samples);
    }

    // The comparer by itself, where no network hides anything.
    [Fact]
    public void Comparer_HalfRightAndAllWrong_TakesTheSameTime()
    {
        Assert.SkipUnless(Count.IsFull, "A timing says nothing on a busy machine: RELIABILITY=full.");
        var keys = new ApiKeys([new KeyOptions { Name = "alice", Sha256 = HashOf(Key) }], TimeProvider.System);
        var samples = new List<double>[] { [], [] };
        var random = new Random(37);
        string[][] wrong = WrongKeys(random);
        for (int i = 0; i < 60_000; i++)
        {
            int kind = random.Next(2);
            string key = wrong[kind][random.Next(wrong[kind].Length)];
            long start = Stopwatch.GetTimestamp();
            for (int repeat = 0; repeat < 20; repeat++)
                Assert.Null(keys.Find(key));
            if (i >= 20_000)
                samples[kind].Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        AssertSameTime("R37, in process", samples);
    }

    // R38. What neither a probe nor the page is asks for a key, whatever the request looks like.
    [Theory]
    [InlineData("GET /v1/models", "Host: x/?")]
    [InlineData("GET /v1/models", "Host: x/#")]
    [InlineData("GET /v1/models", "Host: x@/health/live")]
    [InlineData("GET http://x/v1/models", "Host: x")]
    [InlineData("GET http://x/health/live/../../v1/models", "Host: x")]
    [InlineData("GET //v1/models", "Host: x")]
    [InlineData("GET /V1/models", "Host: x")]
    [InlineData("GET /v1/..;/models", "Host: x")]
    [InlineData("GET /health/live/%2e%2e/%2e%2e/v1/models", "Host: x")]
    [InlineData("GET /health/..%2fv1/models", "Host: x")]
    [InlineData("GET /v1/models?x=/health/live", "Host: x")]
    [InlineData("GET /v1/models#/health/live", "Host: x")]
    [InlineData("GET /v1/models;/health/live", "Host: x")]
    [InlineData("GET /v1/models", "Host: x\r\nX-HTTP-Method-Override: OPTIONS")]
    [InlineData("GET /v1/models", "Host: x\r\nX-Original-URL: /health/live")]
    [InlineData("GET /v1/models", "Host: x\r\nX-Rewrite-URL: /health/live")]
    [InlineData("GET /v1/models", "Host: x\r\nX-Forwarded-For: 127.0.0.1")]
    [InlineData("GET /v1/models", "Host: x\r\nAuthorization: Bearer ")]
    [InlineData("GET /v1/models", "Host: x\r\nAuthorization: Bearer x\r\nAuthorization: Bearer y")]
    [InlineData("HEAD /v1/models", "Host: x")]
    [InlineData("OPTIONS /v1/models", "Host: x")]
    [InlineData("OPTIONS *", "Host: x")]
    [InlineData("TRACE /v1/models", "Host: x")]
    [InlineData("CONNECT /v1/models", "Host: x")]
    [InlineData("GETGET /v1/models", "Host: x")]
    [InlineData("POST /tokenize", "Host: x\r\nContent-Length: 0")]
    [InlineData("GET /tokenizer_info", "Host: x")]
    [InlineData("DELETE /v1/ensembles/x", "Host: x")]
    public async Task Request_WithoutAKey_NeverSucceeds(string request, string headers)
    {
        string answer = await RawHttp.SendAsync(_server.Client.BaseAddress!, Encoding.Latin1.GetBytes($"{request} HTTP/1.1\r\n{headers}\r\nConnection: close\r\n\r\n"));
        Assert.Matches("^HTTP/1.1 (400|401|404|405|501) ", answer);
        Assert.DoesNotContain("owned_by", answer);
    }

    // Without keys, whoever may reach the server may not change it.
    [Fact]
    public async Task AdminRoutes_WithoutKeysFromElsewhere_AreRefused()
    {
        IPAddress? own = NetworkInterface.GetAllNetworkInterfaces().SelectMany(card => card.GetIPProperties().UnicastAddresses).Select(unicast => unicast.Address)
            .FirstOrDefault(address => address.AddressFamily == AddressFamily.InterNetwork && !IPAddress.IsLoopback(address));
        Assert.SkipWhen(own is null, "This machine has no address but loopback.");
        await using ServerProcess server = await ServerProcess.StartAtAsync(new Uri($"http://{own}:0"), TestData.Path("checkpoints"), "--Serving:AllowWithoutKey=true");
        HttpClient elsewhere = server.Client;
        Assert.Equal(HttpStatusCode.OK, (await elsewhere.GetAsync("/v1/models")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await elsewhere.PostAsync("/v1/completions", Json(Body))).StatusCode);
        foreach ((HttpMethod method, string path) in AdminRoutes)
        {
            using var request = new HttpRequestMessage(method, path) { Content = Json("{}") };
            using HttpResponseMessage refused = await elsewhere.SendAsync(request);
            Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
            Assert.Contains("insufficient_scope", await refused.Content.ReadAsStringAsync());
        }
        Assert.Equal(HttpStatusCode.OK, (await elsewhere.PostAsync("/v1/completions", Json(Body))).StatusCode);
    }

    [Fact]
    public async Task AdminRoutes_WithEitherKey_AreForTheAdminsAlone()
    {
        foreach ((HttpMethod method, string path) in AdminRoutes)
        {
            foreach ((string key, bool isAdmin) in ((string, bool)[])[(Key, false), (AdminKey, true)])
            {
                using var request = new HttpRequestMessage(method, path) { Content = Json("{}") };
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
                using HttpResponseMessage response = await _server.Client.SendAsync(request);
                Assert.Equal(!isAdmin, response.StatusCode == HttpStatusCode.Forbidden);
                Assert.NotEqual(HttpStatusCode.Unauthorized, response.StatusCode);
            }
        }
    }

    [Fact]
    public async Task Log_HostileRequests_IsOneObjectALineWithoutTheirText()
    {
        string[] prompts = ["line\nbreak", "\u001b[31mred", "\"},{\"@l\":\"Fatal\"", "canary-7Q", new('z', Count.Of(10_000, 1_000_000))];
        foreach (string prompt in Enumerable.Repeat(prompts, Count.Of(few: 1, full: 20)).SelectMany(all => all))
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions?secret=canary-8Q") { Content = Json(JsonSerializer.Serialize(new { model = "plain", prompt = prompt[..Math.Min(prompt.Length, 40)] })) };
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Key);
            request.Headers.TryAddWithoutValidation("User-Agent", "canary-9Q");
            (await _server.Client.SendAsync(request)).Dispose();
            using var wrong = new HttpRequestMessage(HttpMethod.Post, "/v1/completions") { Content = Json(JsonSerializer.Serialize(new { model = prompt, prompt })) };
            wrong.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Key);
            (await _server.Client.SendAsync(wrong)).Dispose();
        }
        await _server.SignalAsync("TERM");
        await _server.WaitForExitAsync();
        JsonElement[] log = [.. _server.Log.Select(line => JsonDocument.Parse(line).RootElement)];
        Assert.True(log.Length >= 10);
        Assert.All(log, line => Assert.True(line.TryGetProperty("@t", out _) && line.TryGetProperty("@l", out _)));
        Assert.All(_server.Log, line =>
        {
            Assert.DoesNotContain("canary", line);
            Assert.DoesNotContain("zzzzzzzz", line);
            Assert.DoesNotContain('\u001b', line);
        });
    }

    // As the contract names them.
    private static (HttpMethod Method, string Path)[] AdminRoutes =>
    [
        (HttpMethod.Post, "/v1/models/nobody/load"), (HttpMethod.Post, "/v1/models/nobody/unload"),
        (HttpMethod.Put, "/v1/ensembles/nobody"), (HttpMethod.Delete, "/v1/ensembles/nobody"),
    ];

    // Half right, and wrong from the first character. Many of each, so that where a string lies in memory says nothing.
    private static string[][] WrongKeys(Random random)
    {
        return [[.. Enumerable.Range(0, 1_000).Select(_ => Key[..20] + Letters(Key.Length - 20))], [.. Enumerable.Range(0, 1_000).Select(_ => Letters(Key.Length))]];

        string Letters(int count) => string.Concat(Enumerable.Range(0, count).Select(_ => (char)random.Next('A', 'Z' + 1)));
    }

    private static string HashOf(string key) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(key)));

    // Welch's t below 4.5, as in dudect. The slowest tenth is the machine's, not the comparer's.
    private static void AssertSameTime(string rule, List<double>[] samples)
    {
        (double Mean, double Variance)[] moments = [.. samples.Select(list => Moments([.. list.Order().Take(list.Count * 9 / 10)]))];
        double t = (moments[0].Mean - moments[1].Mean) / Math.Sqrt(moments[0].Variance + moments[1].Variance);
        Count.Record(rule, $"keys half right against all wrong, {samples.Sum(list => list.Count)} samples: t = {t:0.00}");
        Assert.True(Math.Abs(t) < 4.5, $"t = {t}");

        static (double, double) Moments(double[] values) => (values.Average(),
            values.Sum(value => Math.Pow(value - values.Average(), 2)) / (values.Length - 1) / values.Length);
    }

    private static StringContent Json(string body) => new(body, Encoding.UTF8, "application/json");

    private async Task<HttpResponseMessage> PostAsync(string key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions") { Content = Json(Body) };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return await _server.Client.SendAsync(request);
    }
}

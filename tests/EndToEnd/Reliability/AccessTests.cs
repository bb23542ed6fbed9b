using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Serving.Testing;

namespace Serving.EndToEnd.Reliability;

/// <summary>R36, R37 and R42: wrong keys, what they tell by time, and what the log keeps of requests.</summary>
public sealed class AccessTests : IAsyncLifetime
{
    private const string Key = "sk-rightrightrightrightrightright";
    private const string Body = """{"model":"plain","prompt":"x","max_tokens":1}""";

    private ServerProcess _server = null!;

    public async ValueTask InitializeAsync() => _server = await ServerProcess.StartAsync(TestData.Path("checkpoints"),
        "--Serving:Keys:0:Name=alice", $"--Serving:Keys:0:Sha256={Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(Key)))}");

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

    // Only where asked for: a timing says nothing on a busy machine. Welch's t below 4.5, as in dudect.
    [Fact]
    public async Task WrongKeys_HalfRightAndAllWrong_TakeTheSameTime()
    {
        if (!Count.IsFull)
            return;
        double[][] seconds = [[], []];
        var samples = new List<double>[] { [], [] };
        var random = new Random(37);
        for (int i = 0; i < 40_000; i++)
        {
            int kind = random.Next(2);
            string key = kind == 0 ? Key[..^1] + "x" : "x" + Convert.ToHexString(RandomNumberGenerator.GetBytes(16));
            long start = Stopwatch.GetTimestamp();
            using HttpResponseMessage response = await PostAsync(key);
            samples[kind].Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        // The slowest tenth is the machine's, not the comparer's.
        seconds = [.. samples.Select(list => list.Order().Take(list.Count * 9 / 10).ToArray())];
        (double mean, double variance)[] moments = [.. seconds.Select(list => (list.Average(), list.Select(value => Math.Pow(value - list.Average(), 2)).Sum() / (list.Length - 1) / list.Length))];
        double t = (moments[0].mean - moments[1].mean) / Math.Sqrt(moments[0].variance + moments[1].variance);
        Assert.True(Math.Abs(t) < 4.5, $"t = {t}");
    }

    [Fact]
    public async Task Log_HostileRequests_IsOneObjectALineWithoutTheirText()
    {
        string[] prompts = ["line\nbreak", "\u001b[31mred", "\"},{\"@l\":\"Fatal\"", "canary-7Q", new('z', Count.Of(10_000, 1_000_000))];
        foreach (string prompt in prompts)
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

    private static StringContent Json(string body) => new(body, Encoding.UTF8, "application/json");

    private async Task<HttpResponseMessage> PostAsync(string key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions") { Content = Json(Body) };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return await _server.Client.SendAsync(request);
    }
}

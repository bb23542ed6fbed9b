using System.Text;
using System.Text.RegularExpressions;
using Serving.EndToEnd.Faults;

namespace Serving.EndToEnd.Reliability;

/// <summary>R14 and R39: requests that no client would send, over raw sockets. One request never gets two answers, and no header of
/// it comes back but a harmless request id.</summary>
[Collection(nameof(SharedServer))]
public sealed partial class RawHttpTests(SharedServer server)
{
    private static readonly int[] Refusals = [400, 404, 405, 408, 411, 413, 414, 415, 431, 501, 505];

    public static TheoryData<string> Smuggles =>
    [
        "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n{}",
        "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
        "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n",
        "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2;a\n\r\n{}\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n{}\r\n",
        "POST /v1/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n{}",
        "GET /health/live HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: x\r\nA\u0000: b\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: x\r\nA: b\u0000c\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost : x\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        "GET /health/live HTTP/1.1\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: x/?y\r\n\r\n",
        "GET /health/live HTTP/9.9\r\nHost: x\r\n\r\n",
        "GET  /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /health\u0000/live HTTP/1.1\r\nHost: x\r\n\r\n",
        "G\u0001T /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
        "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003\r\n\r\n",
        $"GET /{new string('a', 9000)} HTTP/1.1\r\nHost: x\r\n\r\n",
        $"GET /health/live HTTP/1.1\r\nHost: x\r\nA: {new string('a', 33_000)}\r\n\r\n",
        $"GET /health/live HTTP/1.1\r\nHost: x\r\n{string.Concat(Enumerable.Range(0, 101).Select(i => $"H{i}: x\r\n"))}\r\n",
    ];

    [Theory]
    [MemberData(nameof(Smuggles))]
    public async Task Request_Malformed_IsRefusedOnceAndTheConnectionClosed(string request)
    {
        string answer = await server.RawAsync(Encoding.Latin1.GetBytes(request));
        Match status = Assert.Single(StatusLine().Matches(answer));
        Assert.Contains(int.Parse(status.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture), Refusals);
    }

    // Through a proxy that reads HTTP in its own way: what the two make of one request must not be two.
    [Fact]
    public async Task Request_MalformedThroughNginx_IsNeverTwo()
    {
        Assert.SkipUnless(Nginx.IsInstalled, "nginx is not installed.");
        await using var proxy = new Nginx([server.Client.BaseAddress!]);
        await proxy.ReadyAsync();
        IEnumerable<string> requests = Enumerable.Repeat(Smuggles.Select(row => row.Data), Count.Of(few: 1, full: 20)).SelectMany(all => all);
        await Parallel.ForEachAsync(requests, async (request, _) =>
        {
            string answer = await server.RawAsync(Encoding.Latin1.GetBytes(request), proxy.Url);
            MatchCollection answers = StatusLine().Matches(answer);
            Assert.True(answers.Count <= 1, request + answer);
            // What nginx mends on the way is an ordinary request.
            Assert.True(answers.Count == 0 || answers[0].Groups[1].Value is "200" || Refusals.Contains(int.Parse(answers[0].Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture)), request + answer);
        });
        await server.AssertWellAsync();
    }

    // R39: every odd value in every header that something might read.
    [Fact]
    public async Task Headers_OddValues_NeitherFailNorSplitNorComeBack()
    {
        string[] names = ["X-Request-Id", "traceparent", "tracestate", "baggage", "Accept", "Accept-Encoding", "Origin", "Referer", "Cookie", "User-Agent", "Authorization", "X-Strict", "If-None-Match", "Range", "Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "Upgrade"];
        string[] values = ["canary\u00e9", "canary<script>", "%0d%0aX-Canary: 1", "canary\tx", "\u00c3\u00a9canary", new string('c', 20_000) + "anary", "", ";,=\"canary", "canary\u0080", "../canary", "{canary}", "\u2603canary"[1..], "00-canary-canary-01", "gzip;q=canary", "bytes=canary-", "h2c, canary"];
        await Parallel.ForEachAsync(names.SelectMany(name => values.Select(value => (name, value))), async (header, _) =>
        {
            string answer = await server.RawAsync(Encoding.Latin1.GetBytes($"GET /v1/models HTTP/1.1\r\nHost: x\r\n{header.name}: {header.value}\r\nConnection: close\r\n\r\n"));
            Match status = Assert.Single(StatusLine().Matches(answer));
            Assert.True(status.Groups[1].Value is "200" or "400", header + answer);
            Assert.True(!answer.Contains("canary", StringComparison.OrdinalIgnoreCase) || IsItsHarmlessId(header, answer), header + answer);
        });
        await server.AssertWellAsync();
    }

    private static bool IsItsHarmlessId((string Name, string Value) header, string answer) =>
        header.Name == "X-Request-Id" && answer.Contains($"x-request-id: {header.Value}\r\n", StringComparison.Ordinal) && HarmlessId().IsMatch(header.Value);

    [Theory]
    [InlineData("X-Request-Id: a\u00e9b")]
    [InlineData("X-Request-Id: <script>")]
    [InlineData("X-Request-Id: a%0d%0aSet-Cookie: x=1")]
    [InlineData("X-Request-Id: a\r\nX-Request-Id: b")]
    [InlineData("traceparent: 00-zz-zz-zz")]
    [InlineData("traceparent: \u00ff\u00fe")]
    [InlineData("tracestate: a=b,c=d,<script>")]
    [InlineData("Accept: application/secret; q=notanumber")]
    [InlineData("Origin: http://secret.example")]
    [InlineData("Cookie: secret=1")]
    [InlineData("X-HTTP-Method-Override: DELETE")]
    [InlineData("X-Forwarded-Host: secret.example")]
    public async Task Header_Odd_IsNotReflected(string header)
    {
        string answer = await server.RawAsync(Encoding.Latin1.GetBytes($"GET /v1/models HTTP/1.1\r\nHost: x\r\n{header}\r\nConnection: close\r\n\r\n"));
        Match status = Assert.Single(StatusLine().Matches(answer));
        Assert.Contains(status.Groups[1].Value, (string[])["200", "400"]);
        Assert.DoesNotContain("secret", answer);
        Assert.DoesNotContain("<script>", answer);
        Assert.DoesNotContain("Set-Cookie", answer);
        Assert.DoesNotContain("Server:", answer);
    }

    [Fact]
    public async Task RequestId_Long_IsReplaced()
    {
        string answer = await server.RawAsync(Encoding.Latin1.GetBytes(
            $"GET /v1/models HTTP/1.1\r\nHost: x\r\nX-Request-Id: {new string('a', 20_000)}\r\nConnection: close\r\n\r\n"));
        Assert.Matches("x-request-id: req-[0-9a-f]{32}\r\n", answer);
    }

    [GeneratedRegex(@"HTTP/1\.[01] (\d{3})")]
    private static partial Regex StatusLine();

    [GeneratedRegex("^[A-Za-z0-9._:-]{1,128}$")]
    private static partial Regex HarmlessId();
}

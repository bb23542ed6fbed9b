using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Serving.EndToEnd.Reliability;

/// <summary>R13: whatever a body is, the answer is an answer.</summary>
[Collection(nameof(SharedServer))]
public sealed class MalformedBodiesTests(SharedServer server)
{
    private static readonly ParallelOptions Sixteen = new() { MaxDegreeOfParallelism = 16 };

    private static readonly (string Path, string Body)[] Valid =
    [
        ("/v1/completions", """{"model":"plain","prompt":["Hi","ho"],"max_tokens":2,"temperature":0.5,"stop":["a"],"logit_bias":{"5":1.5},"stream_options":null,"n":1}"""),
        ("/v1/chat/completions", """{"model":"plain","messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}],"max_tokens":2,"logprobs":true}"""),
        ("/v1/embeddings", """{"model":"plain","input":[[44,77]],"encoding_format":"base64","layer":"last"}"""),
        ("/tokenize", """{"model":"plain","prompt":"H\u00e9","add_special_tokens":false}"""),
        ("/detokenize", """{"model":"plain","tokens":[44,77]}"""),
    ];

    private readonly ConcurrentBag<double> _milliseconds = [];

    private const string Rest = """{"model":"plain","prompt":"Hi","max_tokens":1,"anything":""";

    // Each text alone is the body of every route; and it is the value of a field that no route knows, where valid JSON is taken and no other.
    [Fact]
    public async Task Body_JsonOfEveryKind_IsTakenOrRefusedAsItShouldBe()
    {
        (byte[] Json, bool? IsValid)[] cases = [.. JsonCases.All];
        Assert.True(cases.Length > 250);
        await Parallel.ForEachAsync(cases, Sixteen, async (one, _) =>
        {
            foreach ((string path, string _) in Valid)
                await SendAsync(path, one.Json);
            HttpStatusCode status = await SendAsync("/v1/completions", [.. Encoding.UTF8.GetBytes(Rest), .. one.Json, (byte)'}']);
            if (one.IsValid is { } isValid)
                Assert.True(status == (isValid ? HttpStatusCode.OK : HttpStatusCode.BadRequest), $"{status}: {Encoding.UTF8.GetString(one.Json)}");
        });
        await server.AssertWellAsync();
    }

    [Fact]
    public async Task Body_ValidOneWithEdits_IsAnsweredWithAnObject()
    {
        var random = new Random(13);
        List<(string Path, byte[] Body)> cases = [.. Enumerable.Range(0, 50).Select(i => (Valid[i % Valid.Length].Path, Encoding.UTF8.GetBytes(
            new string('[', i * 40) + new string(']', i * 20))))];
        int all = Count.Of(few: 1_000, full: 10_000);
        while (cases.Count < all)
        {
            (string path, string body) = Valid[random.Next(Valid.Length)];
            cases.Add((path, Mutate(Encoding.UTF8.GetBytes(body), random)));
        }
        await Parallel.ForEachAsync(cases, Sixteen, async (one, _) => await SendAsync(one.Path, one.Body));
        await server.AssertWellAsync();
        double[] sorted = [.. _milliseconds.Order()];
        Count.Record("R13", $"{sorted.Length} bodies, 16 at a time: no 5xx, no reset; median {sorted[sorted.Length / 2]:0.0} ms, 99 % {sorted[sorted.Length * 99 / 100]:0.0} ms, slowest {sorted[^1]:0.0} ms");
    }

    private async Task<HttpStatusCode> SendAsync(string path, byte[] body)
    {
        long start = Stopwatch.GetTimestamp();
        using var content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        using HttpResponseMessage response = await server.Client.PostAsync(path, content);
        string text = await response.Content.ReadAsStringAsync();
        _milliseconds.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        string shown = $"{path} {(int)response.StatusCode} {Encoding.Latin1.GetString(body)} -> {text}";
        Assert.True((int)response.StatusCode < 500, shown);
        Assert.True(response.Headers.Contains("x-request-id"), shown);
        if (response.IsSuccessStatusCode)
            return response.StatusCode;
        using JsonDocument answer = JsonDocument.Parse(text);
        bool isApi = path.StartsWith("/v1", StringComparison.Ordinal);
        JsonElement message = isApi ? answer.RootElement.GetProperty("error").GetProperty("message") : answer.RootElement.GetProperty("detail");
        Assert.True(message.GetString()!.Length > 10, shown);
        Assert.Equal(isApi ? "application/json" : "application/problem+json", response.Content.Headers.ContentType!.MediaType);
        return response.StatusCode;
    }

    private static byte[] Mutate(byte[] body, Random random)
    {
        List<byte> bytes = [.. body];
        for (int edits = random.Next(1, 5); edits > 0 && bytes.Count > 1; edits--)
        {
            int at = random.Next(bytes.Count);
            switch (random.Next(6))
            {
                case 0:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1:
                    bytes.RemoveAt(at);
                    break;
                case 2:
                    bytes.Insert(at, (byte)"{}[]\",:-0e.\\"[random.Next(12)]);
                    break;
                case 3:
                    bytes.RemoveRange(at, Math.Min(random.Next(1, 12), bytes.Count - at));
                    break;
                case 4:
                    bytes.InsertRange(at, bytes.GetRange(at, Math.Min(random.Next(1, 12), bytes.Count - at)));
                    break;
                default:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
            }
        }
        return [.. bytes];
    }
}

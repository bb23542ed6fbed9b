using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Serving.EndToEnd.Reliability;

/// <summary>R13: whatever a body is, the answer is an answer.</summary>
[Collection(nameof(SharedServer))]
public sealed class MalformedBodiesTests(SharedServer server)
{
    private static readonly (string Path, string Body)[] Valid =
    [
        ("/v1/completions", """{"model":"plain","prompt":["Hi","ho"],"max_tokens":2,"temperature":0.5,"stop":["a"],"logit_bias":{"5":1.5},"stream_options":null,"n":1}"""),
        ("/v1/chat/completions", """{"model":"plain","messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}],"max_tokens":2,"logprobs":true}"""),
        ("/v1/embeddings", """{"model":"plain","input":[[44,77]],"encoding_format":"base64","layer":"last"}"""),
        ("/tokenize", """{"model":"plain","prompt":"H\u00e9","add_special_tokens":false}"""),
        ("/detokenize", """{"model":"plain","tokens":[44,77]}"""),
    ];

    // The kinds of the JSON test suite: structure, strings, numbers, literals, nesting, encodings.
    private static readonly string[] Broken =
    [
        "", " ", "\u0000", "null", "true", "1", "\"x\"", "[]", "[1]", "{", "}", "{}", "{\"", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{,}",
        "{a:1}", "{'a':1}", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "{\"a\"::1}", "{\"a\":1}}", "{\"a\":1}{}", "{\"a\":1}#", "{\"a\":1}//x", "/**/{}", "{\"a\":/**/1}",
        "{\"a\":01}", "{\"a\":+1}", "{\"a\":.5}", "{\"a\":1.}", "{\"a\":1e}", "{\"a\":1e+}", "{\"a\":-}", "{\"a\":--1}", "{\"a\":0x1}", "{\"a\":NaN}", "{\"a\":Infinity}",
        "{\"a\":-Infinity}", "{\"a\":1e99999}", "{\"a\":tru}", "{\"a\":TRUE}", "{\"a\":nul}", "{\"a\":undefined}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u12\"}", "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\n\"}", "{\"a\":\"\t\"}", "{\"a\":\"\u0000\"}", "{\"a\":\"", "[[[[", "{\"a\":[}", "{\"a\":[1,]}", "{\"a\":[,1]}", "{\"a\":[1 2]}", "{\"a\":]}", "\ufeff{}",
        "{\"a\":1,\"a\":1}", "{\"\":0}", "{\"a\":{\"b\":{\"c\":{}}}", "*", "{*}", "{\"a\":1;}", "<x/>", "a=1&b=2", "--x\r\n", "{\"model\":\"plain\",\"prompt\":}",
    ];

    [Fact]
    public async Task Body_AnyBytes_IsAnsweredWithAnObject()
    {
        var random = new Random(13);
        List<(string Path, byte[] Body)> cases = [.. Valid.SelectMany(route => Broken.Select(body => (route.Path, Encoding.UTF8.GetBytes(body))))];
        cases.AddRange(Enumerable.Range(0, 50).Select(i => (Valid[i % Valid.Length].Path, Encoding.UTF8.GetBytes(
            new string('[', i * 40) + new string(']', i * 20)))));
        int all = Count.Of(few: 1_000, full: 10_000);
        while (cases.Count < all)
        {
            (string path, string body) = Valid[random.Next(Valid.Length)];
            cases.Add((path, Mutate(Encoding.UTF8.GetBytes(body), random)));
        }
        await Parallel.ForEachAsync(cases, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (one, _) => await SendAsync(one.Path, one.Body));
        await server.AssertWellAsync();
    }

    private async Task SendAsync(string path, byte[] body)
    {
        using var content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        using HttpResponseMessage response = await server.Client.PostAsync(path, content);
        string text = await response.Content.ReadAsStringAsync();
        string shown = $"{path} {(int)response.StatusCode} {Encoding.Latin1.GetString(body)} -> {text}";
        Assert.True((int)response.StatusCode < 500, shown);
        Assert.True(response.Headers.Contains("x-request-id"), shown);
        if (response.IsSuccessStatusCode)
            return;
        using JsonDocument answer = JsonDocument.Parse(text);
        bool isApi = path.StartsWith("/v1", StringComparison.Ordinal);
        JsonElement message = isApi ? answer.RootElement.GetProperty("error").GetProperty("message") : answer.RootElement.GetProperty("detail");
        Assert.True(message.GetString()!.Length > 10, shown);
        Assert.Equal(isApi ? "application/json" : "application/problem+json", response.Content.Headers.ContentType!.MediaType);
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

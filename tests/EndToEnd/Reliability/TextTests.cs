using System.Diagnostics;
using System.Net;
using System.Net.ServerSentEvents;
using System.Text;
using System.Text.Json;

namespace Serving.EndToEnd.Reliability;

/// <summary>R16, R17 and R20: long texts, broken encodings, and texts that look like the framing around them.</summary>
[Collection(nameof(SharedServer))]
public sealed class TextTests(SharedServer server)
{
    [Theory]
    [InlineData(47, 1, true)]
    [InlineData(48, 1, false)]
    [InlineData(48, 0, true)]
    [InlineData(49, 0, false)]
    public async Task Prompt_AtTheEdgeOfTheContext_IsTakenOrRefused(int characters, int maxTokens, bool fits)
    {
        using HttpResponseMessage response = await server.PostAsync("/v1/completions", JsonSerializer.Serialize(
            new { model = "plain", prompt = new string('a', characters), max_tokens = maxTokens, echo = true }));
        Assert.Equal(fits ? HttpStatusCode.OK : HttpStatusCode.BadRequest, response.StatusCode);
        if (!fits)
            Assert.Contains("context_length_exceeded", await response.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("a")]
    [InlineData(" ")]
    [InlineData("ab")]
    [InlineData("é")]
    [InlineData("👨‍👩‍👧 ")]
    public async Task Prompt_LargerThanABodyMayBe_IsRefusedAndTheRefusalArrives(string unit)
    {
        foreach (int megabytes in Count.IsFull ? (int[])[7, 9, 30, 100] : [7, 9])
        {
            string text = string.Concat(Enumerable.Repeat(unit, megabytes * 1_000_000 / Encoding.UTF8.GetByteCount(unit)));
            long start = Stopwatch.GetTimestamp();
            using HttpResponseMessage response = await server.PostAsync("/v1/completions", "{\"model\":\"plain\",\"prompt\":\"" + text + "\"}");
            Count.Record("R16", $"{megabytes} MB of {unit.Length} characters again and again: {(int)response.StatusCode} after {Stopwatch.GetElapsedTime(start).TotalSeconds:0.00} s");
            Assert.Equal(megabytes > 8 ? HttpStatusCode.RequestEntityTooLarge : HttpStatusCode.BadRequest, response.StatusCode);
            Assert.Contains(megabytes > 8 ? "request_too_large" : "context_length_exceeded", await response.Content.ReadAsStringAsync());
        }
        await server.AssertWellAsync();
    }

    // Bytes that are no UTF-8, overlong forms, halves of surrogate pairs.
    [Theory]
    [InlineData("prompt")]
    [InlineData("stop")]
    [InlineData("model")]
    [InlineData("user")]
    public async Task Text_BrokenEncoding_IsRefusedByItsField(string field)
    {
        byte[][] broken =
        [
            [0xff], [0xc3], [0xc0, 0x80], [0xe0, 0x80, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xf8, 0x88, 0x80, 0x80, 0x80],
            [.. "\\ud800"u8], [.. "\\udc00"u8], [.. "\\udc00\\ud800"u8], [.. "a\\ud83d"u8],
        ];
        foreach (byte[] bytes in broken)
        {
            string rest = field == "model" ? "\"prompt\":\"x\"" : field == "prompt" ? "\"model\":\"plain\"" : "\"model\":\"plain\",\"prompt\":\"x\"";
            byte[] body = [.. Encoding.UTF8.GetBytes($"{{{rest},\"{field}\":\"a"), .. bytes, .. "b\"}"u8];
            using HttpResponseMessage response = await server.PostAsync("/v1/completions", new ByteArrayContent(body));
            string text = await response.Content.ReadAsStringAsync();
            Assert.True(response.StatusCode == HttpStatusCode.BadRequest, $"{Convert.ToHexString(bytes)} {text}");
            Assert.Contains($"\"param\":\"{field}\"", text);
        }
    }

    [Fact]
    public async Task Text_Valid_IsTheSameAfterTokenizing()
    {
        var random = new Random(17);
        for (int i = 0; i < Count.Of(few: 60, full: 500); i++)
        {
            // What the small vocabulary has: U+0020 to U+011B.
            string text = string.Concat(Enumerable.Range(0, random.Next(1, 60)).Select(_ => (char)random.Next(0x20, 0x11c)));
            JsonElement tokens = (await server.AskAsync("/tokenize", new { model = "plain", prompt = text })).GetProperty("tokens");
            Assert.Equal(text, (await server.AskAsync("/detokenize", new { model = "plain", tokens })).GetProperty("prompt").GetString());
        }
    }

    public static TheoryData<string> Framings =>
    [
        "a\rb", "a\nb", "a\r\nb", "\n\n", "\r\r", "a\n\ndata: {}\n\n", "data: [DONE]", "[DONE]", "event: x\ndata: y", ": comment", "id: 7", "retry: 1",
        "a\u2028b\u2029c", "\ufeffa", "a\u0085b", "\u000b\u000c", "\0a", "{\"error\":{}}", "\"]}", "</script>", "\\n\\u0000", "ÿ😀 e\u0301",
    ];

    [Theory]
    [MemberData(nameof(Framings))]
    public async Task Stream_TextLikeFraming_ComesOutExactly(string text)
    {
        var body = new { model = "plain", prompt = text, max_tokens = 3, temperature = 0, echo = true, stream = true, ignore_eos = true };
        using HttpResponseMessage response = await server.PostAsync("/v1/completions", JsonSerializer.Serialize(body));
        List<string> events = [];
        await foreach (SseItem<string> item in SseParser.Create(new OneByteStream(await response.Content.ReadAsStreamAsync())).EnumerateAsync())
            events.Add(item.Data);
        Assert.Equal("[DONE]", events[^1]);
        string joined = string.Concat(events.SkipLast(1).Select(data => JsonDocument.Parse(data).RootElement.GetProperty("choices")[0].GetProperty("text").GetString()));
        JsonElement whole = await server.AskAsync("/v1/completions", new { model = "plain", prompt = text, max_tokens = 3, temperature = 0, echo = true, ignore_eos = true });
        Assert.StartsWith(text, joined, StringComparison.Ordinal);
        Assert.Equal(whole.GetProperty("choices")[0].GetProperty("text").GetString(), joined);
    }

    // A proxy that hands on one byte at a time.
    private sealed class OneByteStream(Stream inner) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count) => inner.Read(buffer, offset, Math.Min(count, 1));

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            inner.ReadAsync(buffer[..Math.Min(buffer.Length, 1)], cancellationToken);

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}

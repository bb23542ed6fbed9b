using System.Text;
using System.Text.Json;
using Serving.Testing;

namespace Serving.EndToEnd.Reliability;

/// <summary>R19: a model whose tokens are single bytes, so that every character beyond ASCII is split across tokens.</summary>
public sealed class BytesTests : IAsyncLifetime
{
    private readonly CheckpointCopies _copies = new();
    private ServerProcess _server = null!;

    public async ValueTask InitializeAsync()
    {
        File.WriteAllText(Path.Combine(_copies.Add("plain", "bytes"), "tokenizer.json"), Tokenizer());
        _server = await ServerProcess.StartAsync(_copies.Path);
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _copies.Dispose();
    }

    [Theory]
    [InlineData("é")]
    [InlineData("Жя")]
    [InlineData("你好")]
    [InlineData("😀😀")]
    [InlineData("👨‍👩‍👧")]
    [InlineData("🇩🇪")]
    [InlineData("e\u0301a\u0308")]
    [InlineData("שלום")]
    public async Task Stream_CharactersOfSeveralTokens_ComeWhole(string text)
    {
        // Each byte is forced in its turn by continuing what is there already.
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        List<int> prompt = ['x'];
        foreach (byte value in bytes)
        {
            List<string> events = await EventsAsync(prompt, 1, new Dictionary<string, double> { [$"{(int)value}"] = 100 }, temperature: 0);
            Assert.All(events, data => Assert.DoesNotContain("\ufffd", value < 0x80 ? data : ""));
            prompt.Add(value);
        }
        List<string> echoed = await EventsAsync(prompt, 1, null, temperature: 0, echo: true);
        Assert.StartsWith("x" + text, Joined(echoed), StringComparison.Ordinal);
    }

    // A small model talks nonsense: most of its bytes are no UTF-8, and those that happen to be are whole characters.
    [Fact]
    public async Task Stream_RandomBytes_IsTheTextOfTheBytesAndEachEventIsUtf8()
    {
        for (int seed = 0; seed < Count.Of(few: 40, full: 500); seed++)
        {
            List<string> events = await EventsAsync(['x'], 40, null, temperature: 2, seed: seed);
            JsonElement[] chunks = [.. events.SkipLast(1).Select(data => JsonDocument.Parse(data).RootElement.GetProperty("choices")[0])];
            byte[] bytes = [.. chunks.Where(chunk => chunk.GetProperty("logprobs").ValueKind == JsonValueKind.Object)
                .SelectMany(chunk => chunk.GetProperty("logprobs").GetProperty("tokens").EnumerateArray()).SelectMany(token => BytesOf(token.GetString()!))];
            Assert.Equal(40, bytes.Length);
            Assert.Equal(Encoding.UTF8.GetString(bytes), Joined(events));
        }
    }

    private static string Joined(List<string> events) =>
        string.Concat(events.SkipLast(1).Select(data => JsonDocument.Parse(data).RootElement.GetProperty("choices")[0].GetProperty("text").GetString()));

    private static byte[] BytesOf(string token) => token.StartsWith("bytes:", StringComparison.Ordinal)
        ? Convert.FromHexString(token["bytes:".Length..].Replace("\\x", "", StringComparison.Ordinal))
        : Encoding.UTF8.GetBytes(token);

    private async Task<List<string>> EventsAsync(
        List<int> prompt, int maxTokens, Dictionary<string, double>? bias, double temperature, bool echo = false, int seed = 0)
    {
        string body = JsonSerializer.Serialize(new
        {
            model = "bytes", prompt, max_tokens = maxTokens, temperature, seed, echo, logit_bias = bias, stream = true, ignore_eos = true, logprobs = 0,
        });
        using HttpResponseMessage response = await _server.Client.PostAsync("/v1/completions", new StringContent(body, Encoding.UTF8, "application/json"));
        byte[] bytes = await response.Content.ReadAsByteArrayAsync();
        Assert.True(response.IsSuccessStatusCode, Encoding.UTF8.GetString(bytes));
        return [.. new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes).Split("\n\n", StringSplitOptions.RemoveEmptyEntries)
            .Select(block => block["data: ".Length..])];
    }

    // Byte-level BPE without merges: the id of a token is its byte.
    private static string Tokenizer()
    {
        int substitute = 0x100;
        var vocabulary = new Dictionary<string, int>();
        for (int value = 0; value < 256; value++)
        {
            bool prints = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            vocabulary[((char)(prints ? value : substitute++)).ToString()] = value;
        }
        return JsonSerializer.Serialize(new
        {
            version = "1.0",
            added_tokens = Array.Empty<object>(),
            pre_tokenizer = new { type = "ByteLevel", add_prefix_space = false, trim_offsets = true, use_regex = false },
            decoder = new { type = "ByteLevel", add_prefix_space = false, trim_offsets = true, use_regex = false },
            model = new { type = "BPE", vocab = vocabulary, merges = Array.Empty<string>() },
        });
    }
}

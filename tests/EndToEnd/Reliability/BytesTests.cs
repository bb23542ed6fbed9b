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
            Assert.Equal(value < 0x80 ? ((char)value).ToString() : "\ufffd", Joined(events));
            prompt.Add(value);
        }
        List<string> echoed = await EventsAsync(prompt, 1, null, temperature: 0, echo: true);
        Assert.StartsWith("x" + text, Joined(echoed), StringComparison.Ordinal);
    }

    // Tokens drawn from the bytes of a text alone: characters form and break at every place.
    [Theory]
    [InlineData("é")]
    [InlineData("Жя")]
    [InlineData("你好")]
    [InlineData("😀")]
    [InlineData("e\u0301")]
    [InlineData("שלום")]
    public async Task Stream_BytesOfAText_IsWhatTheBytesSpell(string text)
    {
        var bias = Encoding.UTF8.GetBytes(text).Distinct().ToDictionary(value => $"{(int)value}", _ => 100.0);
        int whole = 0;
        for (int seed = 0; seed < Count.Of(few: 10, full: 100); seed++)
        {
            List<string> events = await EventsAsync(['x'], 40, bias, temperature: 2, seed: seed);
            byte[] bytes = BytesOf(events);
            Assert.Equal(Encoding.UTF8.GetString(bytes), Joined(events));
            whole += Joined(events).EnumerateRunes().Count(rune => rune.Value > 0x7f && rune != Rune.ReplacementChar);
        }
        Assert.True(whole > 0, "no character was ever whole");
    }

    // R17: bytes know every text.
    [Fact]
    public async Task Text_AnyCharacters_IsTheSameAfterTokenizing()
    {
        var random = new Random(17);
        string[] texts = ["\0", "a\0b", "\ufeff", "\ufeffa", "\ufdd0\ufffe\uffff", "\U0010ffff", "\ufffd", "\u202e\u200d\u2060", "a\u0301\u0327", "\r\n\t\u001b", "<s></s>", "👨‍👩‍👧🇩🇪"];
        for (int i = 0; i < Count.Of(few: 60, full: 500); i++)
        {
            string text = i < texts.Length ? texts[i] : string.Concat(Enumerable.Range(0, random.Next(1, 40)).Select(_ => RandomRune(random)));
            int[] ids = await PostAsync<int[]>("/tokenize", new { model = "bytes", prompt = text, add_special_tokens = false }, "tokens");
            Assert.Equal(Encoding.UTF8.GetBytes(text), ids.Select(id => (byte)id));
            Assert.Equal(text, await PostAsync<string>("/detokenize", new { model = "bytes", tokens = ids }, "prompt"));
        }
    }

    private static string RandomRune(Random random)
    {
        int value = random.Next(random.Next(4) switch { 0 => 0x80, 1 => 0x800, 2 => 0x10000, _ => 0x110000 });
        return (Rune.IsValid(value) ? new Rune(value) : new Rune(0xFDD0)).ToString();
    }

    private async Task<T> PostAsync<T>(string path, object body, string field)
    {
        using HttpResponseMessage response = await _server.Client.PostAsync(path, new StringContent(JsonSerializer.Serialize(body), Encoding.UTF8, "application/json"));
        string answer = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, answer);
        return JsonDocument.Parse(answer).RootElement.GetProperty(field).Deserialize<T>()!;
    }

    // A small model talks nonsense: most of its bytes are no UTF-8, and those that happen to be are whole characters.
    [Fact]
    public async Task Stream_RandomBytes_IsTheTextOfTheBytesAndEachEventIsUtf8()
    {
        for (int seed = 0; seed < Count.Of(few: 40, full: 500); seed++)
        {
            List<string> events = await EventsAsync(['x'], 40, null, temperature: 2, seed: seed);
            byte[] bytes = BytesOf(events);
            Assert.Equal(Encoding.UTF8.GetString(bytes), Joined(events));
        }
    }

    private static string Joined(List<string> events) =>
        string.Concat(events.SkipLast(1).Select(data => JsonDocument.Parse(data).RootElement.GetProperty("choices")[0].GetProperty("text").GetString()));

    private static byte[] BytesOf(List<string> events)
    {
        byte[] bytes = [.. events.SkipLast(1).Select(data => JsonDocument.Parse(data).RootElement.GetProperty("choices")[0].GetProperty("logprobs"))
            .Where(logprobs => logprobs.ValueKind == JsonValueKind.Object)
            .SelectMany(logprobs => logprobs.GetProperty("tokens").EnumerateArray()).SelectMany(token => BytesOf(token.GetString()!))];
        Assert.Equal(40, bytes.Length);
        return bytes;
    }

    private static byte[] BytesOf(string token) => token.StartsWith("bytes:", StringComparison.Ordinal)
        ? Convert.FromHexString(token["bytes:".Length..].Replace("\\x", "", StringComparison.Ordinal))
        : Encoding.UTF8.GetBytes(token);

    private async Task<List<string>> EventsAsync(
        List<int> prompt, int maxTokens, Dictionary<string, double>? bias, double temperature, bool echo = false, int seed = 0)
    {
        string body = JsonSerializer.Serialize(new
        {
            model = "bytes",
            prompt,
            max_tokens = maxTokens,
            temperature,
            seed,
            echo,
            logit_bias = bias,
            stream = true,
            ignore_eos = true,
            logprobs = 0,
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

using System.Text;
using System.Text.Json.Nodes;
using Serving.Glyphs.Tokens;

namespace Serving.Glyphs.Tests.Tokens;

public sealed class TokenizerFormatTests
{
    private static readonly string[] Fragments = ["\\ud800", "null", "[", "{}", "-1", "\"", "a b", "true", "1e400", "\\"];

    [Theory]
    [InlineData("truncation", """{"max_length": 5}""", "truncation")]
    [InlineData("padding", """{"strategy": "Fixed"}""", "padding")]
    [InlineData("normalizer", """{"type": "NFC"}""", "normalizer")]
    [InlineData("pre_tokenizer", """{"type": "Metaspace"}""", "pre_tokenizer.type")]
    [InlineData("post_processor", """{"type": "BertProcessing"}""", "post_processor.type")]
    [InlineData("decoder", """{"type": "WordPiece"}""", "decoder.type")]
    [InlineData("turbo", "true", "turbo")]
    [InlineData("model", "[]", "model")]
    [InlineData("model", "null", "model")]
    [InlineData("added_tokens", "{}", "added_tokens")]
    [InlineData("added_tokens", """[{"id": 1, "content": "b"}]""", "added_tokens[0].id")]
    [InlineData("added_tokens", """[{"id": 9, "content": "b"}]""", "added_tokens[0].id")]
    [InlineData("added_tokens", """[{"id": 9, "content": "x"}, {"id": 9, "content": "y"}]""", "added_tokens[1].id")]
    [InlineData("added_tokens", """[{"id": 9, "content": "x"}, {"id": 10, "content": "x"}]""", "added_tokens[1].content")]
    [InlineData("added_tokens", """[{"id": 9, "content": ""}]""", "added_tokens[0].content")]
    [InlineData("added_tokens", """[{"id": -1, "content": "x"}]""", "added_tokens[0].id")]
    [InlineData("added_tokens", """[{"id": 9, "content": "x", "single_word": true}]""", "added_tokens[0].single_word")]
    [InlineData("added_tokens", """[{"id": 9, "content": "\ud800"}]""", "added_tokens[0].content")]
    public void Load_UnsupportedOrBrokenPart_NamesTheKey(string key, string value, string where) =>
        AssertRefused(Make(), key, value, where);

    [Theory]
    [InlineData("type", "\"WordPiece\"", "model.type")]
    [InlineData("dropout", "0.1", "model.dropout")]
    [InlineData("byte_fallback", "true", "model.byte_fallback")]
    [InlineData("fuse_unk", "1", "model.fuse_unk")]
    [InlineData("continuing_subword_prefix", "\"##\"", "model.continuing_subword_prefix")]
    [InlineData("end_of_word_suffix", "\"</w>\"", "model.end_of_word_suffix")]
    [InlineData("unk_token", "\"nobody\"", "model.unk_token")]
    [InlineData("speed", "2", "model.speed")]
    [InlineData("vocab", "null", "model.vocab")]
    [InlineData("vocab", "{}", "model.vocab")]
    [InlineData("vocab", """{"a": -1}""", "model.vocab.a")]
    [InlineData("vocab", """{"a": 10000001}""", "model.vocab.a")]
    [InlineData("vocab", """{"a": 1.5}""", "model.vocab.a")]
    [InlineData("vocab", """{"a": "1"}""", "model.vocab.a")]
    [InlineData("vocab", """{"a": 1, "b": 1}""", "model.vocab.b")]
    [InlineData("vocab", """{"a": 1, "a": 2}""", "model.vocab.a")]
    [InlineData("vocab", """{"ab": 1, "ab": 2}""", "model.vocab.ab")]
    [InlineData("vocab", """{"\udc00": 1}""", "model.vocab")]
    [InlineData("merges", "null", "model.merges")]
    [InlineData("merges", "[7]", "model.merges[0]")]
    [InlineData("merges", """["a b", "a c"]""", "model.merges[1]")]
    [InlineData("merges", """["b a"]""", "model.merges[0]")]
    [InlineData("merges", """["ab"]""", "model.merges[0]")]
    [InlineData("merges", """["a b c"]""", "model.merges[0]")]
    [InlineData("merges", """[" b"]""", "model.merges[0]")]
    [InlineData("merges", """[["a", "b"], ["a"]]""", "model.merges[1]")]
    [InlineData("merges", """[["a", ""]]""", "model.merges[0]")]
    [InlineData("merges", """[["a", 5]]""", "model.merges[0]")]
    [InlineData("merges", """[["a", "\ud800"]]""", "model.merges")]
    public void Load_UnsupportedOrBrokenModel_NamesTheKey(string key, string value, string where)
    {
        string json = Make().ToJsonString();
        JsonObject model = JsonNode.Parse(json)!["model"]!.AsObject();
        string replaced = model.ContainsKey(key)
            ? json.Replace($"\"{key}\":{model[key]?.ToJsonString() ?? "null"}", $"\"{key}\":{value}", StringComparison.Ordinal)
            : json.Replace("\"model\":{", $"\"model\":{{\"{key}\":{value},", StringComparison.Ordinal);
        AssertRefused(replaced, where);
    }

    [Theory]
    [InlineData("", "line 1")]
    [InlineData("{\n\"version\": }", "line 2")]
    [InlineData("[]", "top level")]
    [InlineData("{}", "model")]
    [InlineData("""{"\ud800": 1}""", "top level")]
    [InlineData("""{"model": null, "model": {}}""", "model")]
    public void Load_NotATokenizer_SaysWhere(string json, string where) => AssertRefused(json, where);

    [Fact]
    public void Load_InvalidUtf8_SaysWhichByte()
    {
        byte[] json = Encoding.UTF8.GetBytes(Make().ToJsonString());
        json[17] = 0xC0;
        var exception = Assert.Throws<TokenizerFormatException>(() => TokenizerJson.Load(json));
        Assert.Equal("byte 17", exception.Where);
        Assert.Equal("the byte 0xC0", exception.Found);
    }

    [Fact]
    public void Load_EveryPrefixOfAFile_IsRefusedCleanly()
    {
        string json = Make().ToJsonString();
        for (int length = 0; length < json.Length; length++)
            Assert.Throws<TokenizerFormatException>(() => TokenizerJson.Load(json[..length]));
    }

    [Fact]
    public void Load_DamagedBytes_LoadsOrIsRefusedCleanly()
    {
        Random random = new(8);
        byte[] whole = Encoding.UTF8.GetBytes(Make().ToJsonString());
        int refused = 0;
        for (int round = 0; round < 1000; round++)
        {
            byte[] fragment = Encoding.UTF8.GetBytes(Fragments[random.Next(Fragments.Length)]);
            int at = random.Next(whole.Length), cut = random.Next(Math.Min(12, whole.Length - at));
            byte[] damaged = [.. whole[..at], .. fragment, .. whole[(at + cut)..]];
            refused += Record.Exception(() => TokenizerJson.Load(damaged)) switch
            {
                null => 0,
                TokenizerFormatException => 1,
                Exception other => throw new InvalidOperationException(Encoding.UTF8.GetString(damaged), other),
            };
        }

        Assert.InRange(refused, 500, 999);
    }

    [Fact]
    public void Load_MissingFile_NamesIt()
    {
        string path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.json");
        var exception = Assert.Throws<TokenizerFormatException>(() => Tokenizer.Load(path));
        Assert.Equal(path, exception.Path);
        Assert.Contains(path, exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_Folder_IsRefusedCleanly() =>
        Assert.Throws<TokenizerFormatException>(() => Tokenizer.Load(Path.GetTempPath()));

    [Fact]
    public void Message_OfARefusal_SaysFilePlaceExpectedAndFound()
    {
        var json = Make();
        json["model"]!["dropout"] = 0.5;
        var exception = Assert.Throws<TokenizerFormatException>(() => TokenizerJson.Load(json));
        Assert.Equal($"{exception.Path}: model.dropout: expected {exception.Expected}, found 0.5.", exception.Message);
    }

    [Fact]
    public void Load_HarmlessVariants_Works()
    {
        var json = Make();
        json["model"]!["dropout"] = 0.0;
        json["model"]!["continuing_subword_prefix"] = "";
        json["model"]!["merges"] = new JsonArray("#version: 0.2", "a b");
        json["decoder"] = null;
        json["future"] = null;
        byte[] bytes = [0xEF, 0xBB, 0xBF, .. Encoding.UTF8.GetBytes(json.ToJsonString())];
        Assert.Equal([3], TokenizerJson.Load(bytes).Encode("ab"));
    }

    private static JsonObject Make() => TokenizerJson.Make(["?", "a", "b", "ab"], ("a", "b"));

    private static void AssertRefused(JsonObject json, string key, string value, string where)
    {
        json.Remove(key);
        string text = json.ToJsonString();
        AssertRefused($"{text[..^1]},\"{key}\":{value}}}", where);
    }

    private static void AssertRefused(string json, string where)
    {
        var exception = Assert.Throws<TokenizerFormatException>(() => TokenizerJson.Load(json));
        Assert.StartsWith(where, exception.Where, StringComparison.Ordinal);
    }
}

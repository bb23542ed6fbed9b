using System.Text.Json.Nodes;

namespace Serving.Glyphs.Tests.Tokens;

public sealed class FingerprintTests
{
    [Fact]
    public void Fingerprint_OfAnyTokenizer_IsSha256InHex() => Assert.Matches("^sha256:[0-9a-f]{64}$", Of(Make()));

    [Fact]
    public void Fingerprint_OtherWhiteSpaceKeyOrderAndEscapes_IsTheSame()
    {
        JsonObject turned = Turn(Make());
        string indented = turned.ToJsonString(new() { WriteIndented = true }).Replace("\"ab\"", "\"\\u0061b\"", StringComparison.Ordinal);
        Assert.Equal(Of(Make()), TokenizerJson.Load(indented).Fingerprint);
    }

    [Fact]
    public void Fingerprint_MergesAsStrings_IsTheSame()
    {
        var json = Make();
        json["model"]!["merges"] = new JsonArray("a b", "b a");
        Assert.Equal(Of(Make()), Of(json));
    }

    [Fact]
    public void Fingerprint_AddedTokensInAnotherOrder_IsTheSame()
    {
        var json = Make();
        json["added_tokens"] = new JsonArray([.. json["added_tokens"]!.AsArray().Reverse().Select(token => token!.DeepClone())]);
        Assert.Equal(Of(Make()), Of(json));
    }

    [Theory]
    [InlineData("""{"model": {"merges": [["b", "a"], ["a", "b"]]}}""")]
    [InlineData("""{"model": {"merges": [["a", "b"]]}}""")]
    [InlineData("""{"model": {"fuse_unk": true}}""")]
    [InlineData("""{"model": {"ignore_merges": true}}""")]
    [InlineData("""{"model": {"unk_token": "a"}}""")]
    [InlineData("""{"model": {"unk_token": null}}""")]
    [InlineData("""{"model": {"vocab": {"?": 0, "a": 2, "b": 1, "ab": 3, "ba": 4}}}""")]
    [InlineData("""{"added_tokens": []}""")]
    [InlineData("""{"added_tokens": [{"id": 0, "content": "?", "special": false, "normalized": false}, {"id": 5, "content": "<s>", "special": true}]}""")]
    public void Fingerprint_AnythingThatChangesTokens_IsAnother(string change)
    {
        var json = Make();
        Apply(json, JsonNode.Parse(change)!.AsObject());
        Assert.NotEqual(Of(Make()), Of(json));
    }

    private static JsonObject Make()
    {
        var json = TokenizerJson.Make(["?", "a", "b", "ab", "ba"], ("a", "b"), ("b", "a"));
        json["added_tokens"]!.AsArray().Add(TokenizerJson.Added(5, "<s>"));
        return json;
    }

    private static string Of(JsonObject json) => TokenizerJson.Load(json).Fingerprint;

    private static void Apply(JsonObject target, JsonObject change)
    {
        foreach ((string key, JsonNode? value) in change)
            if (key == "model") Apply(target[key]!.AsObject(), value!.AsObject());
            else target[key] = value?.DeepClone();
    }

    private static JsonObject Turn(JsonObject json) => new(json.Reverse().Select(pair =>
        KeyValuePair.Create(pair.Key, pair.Value is JsonObject inner ? Turn(inner) : pair.Value?.DeepClone())));
}

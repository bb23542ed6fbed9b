using System.Text.Json.Nodes;
using Serving.Glyphs.Tokens;

namespace Serving.Glyphs.Tests.Tokens;

/// <summary>Small tokenizer files that are written, read and thrown away.</summary>
internal static class TokenizerJson
{
    /// <summary>A tokenizer of the glyph family's kind.</summary>
    /// <param name="vocabulary">Tokens by id; the first is the unknown one, which is special as well.</param>
    /// <param name="merges">By rank.</param>
    public static JsonObject Make(IEnumerable<string> vocabulary, params IEnumerable<(string Left, string Right)> merges)
    {
        string[] tokens = [.. vocabulary];
        return new()
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = new JsonArray(Added(0, tokens[0])),
            ["normalizer"] = null,
            ["pre_tokenizer"] = null,
            ["post_processor"] = null,
            ["decoder"] = new JsonObject { ["type"] = "Sequence", ["decoders"] = new JsonArray() },
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["unk_token"] = tokens[0],
                ["fuse_unk"] = false,
                ["vocab"] = new JsonObject(tokens.Select((token, id) => KeyValuePair.Create(token, (JsonNode?)id))),
                ["merges"] = new JsonArray([.. merges.Select(merge => new JsonArray(merge.Left, merge.Right))]),
            },
        };
    }

    public static JsonObject Added(int id, string content, bool special = true) =>
        new() { ["id"] = id, ["content"] = content, ["special"] = special, ["normalized"] = false };

    public static Tokenizer Load(JsonNode json) => Load(json.ToJsonString());

    public static Tokenizer Load(string json) => Load(System.Text.Encoding.UTF8.GetBytes(json));

    public static Tokenizer Load(byte[] json)
    {
        string path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.tokenizer.json");
        File.WriteAllBytes(path, json);
        try
        {
            return Tokenizer.Load(path);
        }
        finally
        {
            File.Delete(path);
        }
    }
}

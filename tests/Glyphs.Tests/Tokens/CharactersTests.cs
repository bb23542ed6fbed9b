using System.Text.Json.Nodes;
using Serving.Glyphs.Tokens;
using Serving.Testing;

namespace Serving.Glyphs.Tests.Tokens;

/// <summary>Against ids that the Hugging Face library made; the note in the file says how.</summary>
public sealed class CharactersTests
{
    private static readonly JsonArray Tokenizers =
        JsonNode.Parse(File.ReadAllText(TestData.Path("tokenizers", "characters.json")))!["tokenizers"]!.AsArray();

    public static IEnumerable<TheoryDataRow<string>> Names =>
        Tokenizers.Select(tokenizer => new TheoryDataRow<string>(tokenizer!["name"]!.GetValue<string>()));

    [Theory]
    [MemberData(nameof(Names))]
    public void Encode_TextsWithAddedTokens_EqualsHuggingFace(string name)
    {
        (Tokenizer tokenizer, JsonArray cases) = Load(name);
        foreach (JsonNode? example in cases)
        {
            string text = example!["text"]!.GetValue<string>();
            Assert.Equal(Ids(example["parsed"]!), tokenizer.Encode(text, SpecialTokens.Parse));
            Assert.Equal(Ids(example["literal"]!), tokenizer.Encode(text, SpecialTokens.Text));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Decode_IdsOfTexts_EqualsHuggingFace(string name)
    {
        (Tokenizer tokenizer, JsonArray cases) = Load(name);
        foreach (JsonNode? example in cases)
        {
            Assert.Equal(example!["decoded"]!.GetValue<string>(), tokenizer.Decode(Ids(example["parsed"]!)));
            Assert.Equal(example["decoded_all"]!.GetValue<string>(), tokenizer.Decode(Ids(example["parsed"]!), skipSpecialTokens: false));
        }
    }

    private static (Tokenizer Tokenizer, JsonArray Cases) Load(string name)
    {
        JsonNode found = Tokenizers.Single(tokenizer => tokenizer!["name"]!.GetValue<string>() == name)!;
        return (TokenizerJson.Load(found["tokenizer"]!), found["cases"]!.AsArray());
    }

    private static int[] Ids(JsonNode ids) => [.. ids.AsArray().Select(id => id!.GetValue<int>())];
}

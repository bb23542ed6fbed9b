using System.Text;
using System.Text.Json.Nodes;
using Serving.Glyphs.Tokens;
using Serving.Testing;

namespace Serving.Glyphs.Tests.Tokens;

/// <summary>Byte-level encoding, against ids that the Hugging Face library made; the note in the file says how.</summary>
public sealed class BytesTests
{
    private static readonly string FilePath = TestData.Path("tokenizers", "bytelevel.tokenizer.json");
    private static readonly Tokenizer Tokenizer = Tokenizer.Load(FilePath);

    private static readonly JsonNode Expected =
        JsonNode.Parse(File.ReadAllText(TestData.Path("tokenizers", "bytelevel.encodings.json")))!;

    [Fact]
    public void Encode_TextsOfManyScripts_EqualsHuggingFace()
    {
        foreach (JsonNode? example in Expected["texts"]!.AsArray())
        {
            string text = example!["text"]!.GetValue<string>();
            Assert.Equal(Ids(example["parsed"]!), Tokenizer.Encode(text, SpecialTokens.Parse));
            Assert.Equal(Ids(example["literal"]!), Tokenizer.Encode(text, SpecialTokens.Text, addSpecialTokens: false));
        }
    }

    [Theory]
    [InlineData("the pattern of GPT-2")]
    [InlineData("no pattern")]
    [InlineData("ignored merges")]
    public void Encode_VariantsOfTheFile_EqualsHuggingFace(string name)
    {
        JsonNode variant = Expected["variants"]!.AsArray().Single(variant => variant!["name"]!.GetValue<string>() == name)!;
        JsonObject json = JsonNode.Parse(File.ReadAllText(FilePath))!.AsObject();
        json["pre_tokenizer"] = variant["pre_tokenizer"]!.DeepClone();
        json["model"]!["ignore_merges"] = variant["ignore_merges"]!.DeepClone();
        JsonArray merges = json["model"]!["merges"]!.AsArray();
        merges.RemoveRange(variant["kept_merges"]!.GetValue<int>(), merges.Count - variant["kept_merges"]!.GetValue<int>());
        Tokenizer tokenizer = TokenizerJson.Load(json);
        Assert.NotEqual(Tokenizer.Fingerprint, tokenizer.Fingerprint);
        foreach ((JsonNode? ids, JsonNode? text) in variant["ids"]!.AsArray().Zip(Expected["texts"]!.AsArray()))
            Assert.Equal(Ids(ids!), tokenizer.Encode(text!["text"]!.GetValue<string>(), SpecialTokens.Parse));
    }

    [Theory]
    [InlineData("texts", "parsed")]
    [InlineData("fragments", "ids")]
    public void Decode_TextsAndFragments_EqualsHuggingFace(string part, string ids)
    {
        foreach (JsonNode? example in Expected[part]!.AsArray())
        {
            Assert.Equal(example!["decoded"]!.GetValue<string>(), Tokenizer.Decode(Ids(example[ids]!)));
            Assert.Equal(example["decoded_all"]!.GetValue<string>(), Tokenizer.Decode(Ids(example[ids]!), skipSpecialTokens: false));
        }
    }

    [Theory]
    [InlineData("texts", "parsed")]
    [InlineData("fragments", "ids")]
    public void Push_TextsAndFragments_JoinsToDecodeInWholeCharacters(string part, string ids)
    {
        foreach (JsonNode? example in Expected[part]!.AsArray())
        {
            StreamingDecoder decoder = Tokenizer.CreateDecoder();
            string[] chunks = [.. Ids(example![ids]!).Select(decoder.Push), decoder.Flush()];
            Assert.Equal(example["decoded"]!.GetValue<string>(), string.Concat(chunks));
            Assert.All(chunks, chunk => Assert.True(IsWellFormed(chunk)));
        }
    }

    [Fact]
    public void DecodeOfEncode_AnyText_IsTheText()
    {
        foreach (JsonNode? example in Expected["texts"]!.AsArray())
        {
            string text = example!["text"]!.GetValue<string>();
            Assert.Equal(text, Tokenizer.Decode(Tokenizer.Encode(text)));
        }
    }

    [Fact]
    public void Push_EmojiByteByByte_ComesWholeAtTheLast()
    {
        StreamingDecoder decoder = Tokenizer.CreateDecoder();
        int[] bytes = [.. Encoding.UTF8.GetBytes("😀").Select(value => Tokenizer.FindId(ByteAlphabet.Character(value).ToString())!.Value)];
        Assert.Equal(["", "", "", "😀"], bytes.Select(decoder.Push));
        Assert.Equal("", decoder.Flush());
    }

    [Fact]
    public void Flush_IncompleteCharacter_IsOneReplacementAndStartsAnew()
    {
        StreamingDecoder decoder = Tokenizer.CreateDecoder();
        Assert.Equal("", decoder.Push(Tokenizer.FindId(ByteAlphabet.Character(0xE4).ToString())!.Value));
        Assert.Equal("\uFFFD", decoder.Flush());
        Assert.Equal("a", decoder.Push(Tokenizer.FindId("a")!.Value));
    }

    [Fact]
    public void Encode_SurrogateWithoutPartner_IsTheReplacementCharacter()
    {
        Assert.Equal(Tokenizer.Encode("a\uFFFDb \uFFFD"), Tokenizer.Encode("a\uD83Db \uDE00"));
        Assert.Equal("a\uFFFDb", Tokenizer.Decode(Tokenizer.Encode("a\uD83Db")));
    }

    [Fact]
    public void Encode_EmptyText_IsTheTemplateAlone()
    {
        Assert.Equal([Tokenizer.FindId("<s>")!.Value], Tokenizer.Encode(""));
        Assert.Empty(Tokenizer.Encode("", addSpecialTokens: false));
    }

    [Fact]
    public void TokenText_EveryId_IsReadableAndItsOwn()
    {
        string[] texts = [.. Enumerable.Range(0, Tokenizer.VocabularySize).Select(Tokenizer.TokenText)];
        Assert.Equal(texts.Length, texts.Distinct().Count());
        Assert.All(texts, text => Assert.DoesNotContain("\uFFFD", text, StringComparison.Ordinal));
        Assert.Equal(" the", Tokenizer.TokenText(Tokenizer.FindId("Ġthe")!.Value));
        Assert.Equal("bytes:\\xe4", Tokenizer.TokenText(Tokenizer.FindId("ä")!.Value));
    }

    [Fact]
    public void TokenText_TextThatLooksLikeBytes_IsShownAsBytes()
    {
        JsonObject json = JsonNode.Parse(File.ReadAllText(FilePath))!.AsObject();
        json["model"]!["vocab"]!["bytes:\\x41"] = 9000;
        Assert.Equal("bytes:\\x62\\x79\\x74\\x65\\x73\\x3a\\x5c\\x78\\x34\\x31", TokenizerJson.Load(json).TokenText(9000));
    }

    [Theory]
    [InlineData("pre_tokenizer", """{"type": "ByteLevel", "add_prefix_space": true}""", "pre_tokenizer.add_prefix_space")]
    [InlineData("pre_tokenizer", """{"type": "Split", "pattern": {"Regex": "\\s+"}, "behavior": "Removed"}""", "pre_tokenizer.behavior")]
    [InlineData("pre_tokenizer", """{"type": "Split", "pattern": {"Regex": "a"}, "behavior": "Isolated", "invert": true}""", "pre_tokenizer.invert")]
    [InlineData("pre_tokenizer", """{"type": "Split", "pattern": {"String": "a"}, "behavior": "Isolated"}""", "pre_tokenizer.pattern.String")]
    [InlineData("pre_tokenizer", """{"type": "Split", "pattern": {"Regex": "(a"}, "behavior": "Isolated"}""", "pre_tokenizer.pattern.Regex")]
    [InlineData("pre_tokenizer", """{"type": "Split", "pattern": {"Regex": "\\w+"}, "behavior": "Isolated"}""", "pre_tokenizer.pattern.Regex")]
    [InlineData("pre_tokenizer", """{"type": "Sequence", "pretokenizers": [{"type": "ByteLevel", "add_prefix_space": false}, {"type": "Split"}]}""", "pre_tokenizer.pretokenizers[1]")]
    [InlineData("post_processor", """{"type": "TemplateProcessing", "single": []}""", "post_processor.single")]
    [InlineData("post_processor", """{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}]}""", "post_processor.special_tokens")]
    [InlineData("post_processor", """{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}], "special_tokens": {"<s>": {"ids": [6000]}}}""", "post_processor.special_tokens.<s>.ids[0]")]
    [InlineData("decoder", """{"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "ByteLevel"}]}""", "decoder.decoders[1].type")]
    public void Load_UnsupportedStep_NamesTheKey(string key, string value, string where)
    {
        JsonObject json = JsonNode.Parse(File.ReadAllText(FilePath))!.AsObject();
        json[key] = JsonNode.Parse(value);
        Assert.Equal(where, Assert.Throws<TokenizerFormatException>(() => TokenizerJson.Load(json)).Where);
    }

    private static bool IsWellFormed(string text) => text == Encoding.Unicode.GetString(Encoding.Unicode.GetBytes(text));

    private static int[] Ids(JsonNode ids) => [.. ids.AsArray().Select(id => id!.GetValue<int>())];
}

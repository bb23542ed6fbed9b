using Serving.Glyphs.Tokens;

namespace Serving.Glyphs.Tests.Tokens;

public sealed class TokenizerTests
{
    private static readonly string[] Vocabulary = ["<unk>", "<s>", "a", "b", "<", "s", ">", "ab", "é", "你"];

    [Fact]
    public void Encode_EmptyText_IsEmpty() => Assert.Empty(Make().Encode(""));

    [Fact]
    public void Encode_CodePointsWithoutToken_IsOneUnknownEach()
    {
        Assert.Equal([2, 0, 3], Make().Encode("a😀b"));
        Assert.Equal([0, 0, 0], Make().Encode("😀z😀"));
    }

    [Fact]
    public void Encode_SurrogatesWithoutPartner_IsOneUnknownEach()
    {
        Assert.Equal([0], Make().Encode("\uD83D"));
        Assert.Equal([2, 0, 0, 3], Make().Encode("a\uDE00\uD83Db"));
        Assert.Equal([0, 7], Make().Encode("\uD83Dab"));
        Assert.Equal([0, 0], Make().Encode("\uD83D\uD83D\uDE00"));
    }

    [Fact]
    public void Encode_SurrogateRangeIds_AreNeverReachedByUtf16Halves()
    {
        string[] vocabulary = [.. Enumerable.Range(0, 0xE000).Select(id => id == 0 ? "<unk>" : $"[{id}]")];
        Assert.Equal([0], TokenizerJson.Load(TokenizerJson.Make(vocabulary)).Encode("😀"));
    }

    [Fact]
    public void Encode_SpecialSpelling_IsTextUnlessParsed()
    {
        Tokenizer tokenizer = Make();
        Assert.Equal([4, 5, 6, 7], tokenizer.Encode("<s>ab"));
        Assert.Equal([1, 7], tokenizer.Encode("<s>ab", SpecialTokens.Parse));
    }

    [Fact]
    public void Encode_FromManyThreads_GivesEachItsOwnIds()
    {
        Tokenizer tokenizer = Make();
        string[] texts = [.. Enumerable.Range(0, 200).Select(length => string.Concat(Enumerable.Repeat("ab<s>é", length)))];
        int[][] alone = [.. texts.Select(text => tokenizer.Encode(text))];
        int[][] together = [.. texts.AsParallel().AsOrdered().WithDegreeOfParallelism(4).Select(text => tokenizer.Encode(text))];
        Assert.Equal(alone, together);
    }

    [Fact]
    public void DecodeOfEncode_CoveredText_IsTheText()
    {
        Random random = new(7);
        Tokenizer tokenizer = Make();
        for (int round = 0; round < 1000; round++)
        {
            string text = string.Concat(Enumerable.Range(0, random.Next(60)).Select(_ => Vocabulary[random.Next(2, Vocabulary.Length)]));
            Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
        }
    }

    [Fact]
    public void Decode_SpecialTokens_AreSkippedUnlessAskedFor()
    {
        Assert.Equal("ab", Make().Decode([1, 7, 0]));
        Assert.Equal("<s>ab<unk>", Make().Decode([1, 7, 0], skipSpecialTokens: false));
    }

    [Fact]
    public void Decode_IdsWithoutToken_AddNothing() => Assert.Equal("ab", Make().Decode([-1, 2, 999, 3, int.MaxValue]));

    [Fact]
    public void TokenText_EveryId_FindsItsWayBack()
    {
        Tokenizer tokenizer = Make();
        Assert.Equal(Vocabulary, Enumerable.Range(0, tokenizer.VocabularySize).Select(tokenizer.TokenText));
        Assert.Equal(Enumerable.Range(0, Vocabulary.Length), Vocabulary.Select(token => tokenizer.FindId(token)!.Value));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(10)]
    [InlineData(int.MaxValue)]
    public void TokenText_IdWithoutToken_Throws(int id) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Make().TokenText(id));

    [Fact]
    public void Properties_OfASmallTokenizer_AreThoseOfItsFile()
    {
        Tokenizer tokenizer = Make();
        Assert.Equal(Vocabulary.Length, tokenizer.VocabularySize);
        Assert.Equal(0, tokenizer.UnknownId);
        Assert.Null(tokenizer.FindId("zebra"));
        Assert.True(tokenizer.IsSpecial(1));
        Assert.False(tokenizer.IsSpecial(7));
        Assert.False(tokenizer.IsSpecial(-1));
    }

    [Fact]
    public void VocabularySize_AddedTokenBeyondTheVocabulary_CountsItAndTheHole()
    {
        var json = TokenizerJson.Make(Vocabulary);
        json["added_tokens"]!.AsArray().Add(TokenizerJson.Added(20, "<end>"));
        Tokenizer tokenizer = TokenizerJson.Load(json);
        Assert.Equal(21, tokenizer.VocabularySize);
        Assert.Equal("<end>", tokenizer.TokenText(20));
        Assert.Equal(20, tokenizer.FindId("<end>"));
        Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.TokenText(15));
    }

    private static Tokenizer Make()
    {
        var json = TokenizerJson.Make(Vocabulary, ("a", "b"));
        json["added_tokens"]!.AsArray().Add(TokenizerJson.Added(1, "<s>"));
        return TokenizerJson.Load(json);
    }
}

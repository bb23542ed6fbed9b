using Serving.Glyphs.Tokens;

namespace Serving.Glyphs.Tests.Tokens;

public sealed class BytePairTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Encode_RandomTokenizersAndTexts_EqualsThePlainTwin(int seed)
    {
        Random random = new(seed);
        for (int round = 0; round < 100; round++)
        {
            RandomBytePair model = new(random, mergeUnknown: round % 5 == 0);
            Tokenizer tokenizer = TokenizerJson.Load(TokenizerJson.Make(model.Vocabulary, model.Merges));
            PlainBytePair twin = new(model.Vocabulary, model.Merges);
            for (int texts = 0; texts < 10; texts++)
            {
                string text = RandomBytePair.Text(random, random.Next(0, texts < 7 ? 40 : 150));
                Assert.Equal(twin.Encode(text), tokenizer.Encode(text));
            }
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(int.MaxValue)]
    public void Merge_WordsOfAnyLengthByEitherMethod_EqualsThePlainTwin(int longWord)
    {
        Random random = new(5);
        for (int round = 0; round < 100; round++)
        {
            RandomBytePair parts = new(random);
            BytePairModel model = Model(parts);
            CodePointSymbols symbols = new(model);
            BytePairMerger merger = new(new(model, symbols), longWord);
            PlainBytePair twin = new(parts.Vocabulary, parts.Merges);
            for (int texts = 0; texts < 10; texts++)
            {
                string text = RandomBytePair.Text(random, random.Next(0, 100));
                int[] ids = new int[text.Length];
                int count = merger.Merge(ids.AsSpan(0, symbols.Read(text, ids)));
                Assert.Equal(twin.Encode(text), ids[..count]);
            }
        }
    }

    [Fact]
    public void Encode_EqualRanks_MergesTheLeftmostFirst()
    {
        Tokenizer tokenizer = TokenizerJson.Load(TokenizerJson.Make(["?", "a", "aa"], ("a", "a")));
        Assert.Equal([2, 1], tokenizer.Encode("aaa"));
    }

    [Fact]
    public void Encode_LowerRankToTheRight_MergesItFirst()
    {
        Tokenizer tokenizer = TokenizerJson.Load(TokenizerJson.Make(["?", "a", "b", "c", "ab", "bc"], ("b", "c"), ("a", "b")));
        Assert.Equal([1, 5], tokenizer.Encode("abc"));
    }

    [Fact]
    public void Encode_TokenWhoseMergesAnEarlierRankSpoils_IsNotItself()
    {
        Tokenizer tokenizer = TokenizerJson.Load(
            TokenizerJson.Make(["?", "a", "b", "c", "ab", "bc", "abc"], ("b", "c"), ("a", "b"), ("ab", "c")));
        Assert.Equal([1, 5], tokenizer.Encode("abc"));
    }

    [Fact]
    public void Encode_PairListedTwice_HasItsLastRank()
    {
        string[] vocabulary = ["?", "a", "b", "c", "ab", "bc"];
        Assert.Equal([1, 5], TokenizerJson.Load(TokenizerJson.Make(vocabulary, ("a", "b"), ("b", "c"), ("a", "b"))).Encode("abc"));
    }

    [Fact]
    public void Encode_HundredThousandEqualLetters_MergesLevelByLevel()
    {
        const int Length = 100_001;
        Tokenizer tokenizer = TokenizerJson.Load(TokenizerJson.Make(["?", "a", "aa", "aaaa"], ("a", "a"), ("aa", "aa")));
        int[] ids = tokenizer.Encode(new('a', Length));
        Assert.Equal([.. Enumerable.Repeat(3, Length / 4), 1], ids);
    }

    [Fact]
    public void Queue_RandomPushesAndPops_ComesInOrderOfRankThenPosition()
    {
        Random random = new(6);
        int[] ranks = [.. Enumerable.Range(0, 3000).Select(_ => random.Next(4) == 0 ? PairTable.Apart : random.Next(1 << random.Next(1, 30)))];
        using MergeQueue queue = new(ranks);
        SortedSet<(int Rank, int Position)> expected = [.. ranks.Index().Where(x => x.Item != PairTable.Apart).Select(x => (x.Item, x.Index))];
        for (int position = ranks.Length; expected.Count > 0; position++)
        {
            Assert.True(queue.TryPop(out int rank, out int at));
            Assert.Equal(expected.Min, (rank, at));
            expected.Remove(expected.Min);
            if (position >= 20_000) continue;
            int pushed = random.Next(1 << 20);
            queue.Push(pushed, position);
            expected.Add((pushed, position));
        }

        Assert.False(queue.TryPop(out _, out _));
    }

    private static BytePairModel Model(RandomBytePair parts)
    {
        Vocabulary vocabulary = new(0);
        foreach ((int id, string token) in parts.Vocabulary.Index()) Assert.True(vocabulary.TryAdd(token, id));
        Merge[] merges = [.. parts.Merges.Select(merge =>
            new Merge(vocabulary.Find(merge.Left), vocabulary.Find(merge.Right), vocabulary.Find(merge.Left + merge.Right)))];
        return new(vocabulary, merges, UnknownId: 0, FuseUnknown: false, IgnoreMerges: false);
    }
}

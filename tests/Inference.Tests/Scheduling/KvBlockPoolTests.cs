using Serving.Inference.Scheduling;

namespace Serving.Inference.Tests.Scheduling;

public class KvBlockPoolTests
{
    private static readonly ulong Root = KvBlockPool.Root(0);

    public static TheoryData<int> Seeds => [.. Enumerable.Range(0, 40)];

    [Fact]
    public void TryExtend_MoreThanAvailable_TakesNothing()
    {
        KvBlockPool pool = new(new KvCapacity(3, 2), reusePrefixes: true);
        List<int> table = [];
        Assert.True(pool.TryExtend(table, 2));
        Assert.False(pool.TryExtend(table, 2));
        Assert.Equal(2, table.Count);
        Assert.Equal((1, 0, 2), (pool.Free, pool.Cached, pool.Used));
    }

    [Fact]
    public void Match_RegisteredPrefix_SharesItsFullBlocksOnly()
    {
        KvBlockPool pool = new(new KvCapacity(4, 2), reusePrefixes: true);
        List<int> first = Store(pool, [1, 2, 3, 4, 5]);
        List<int> second = [];
        ulong link = Root;
        Assert.Equal(4, pool.Match([1, 2, 3, 4, 5, 6], second, ref link));
        Assert.Equal(first.Take(2), second);
        Assert.Equal(2, pool.References(first[0]));
        pool.Release(first);
        pool.Release(second);
        Assert.Equal((2, 2, 0), (pool.Free, pool.Cached, pool.Used));
    }

    [Theory]
    [InlineData(new[] { 3, 4, 1, 2 })]
    [InlineData(new[] { 9, 2, 3, 4 })]
    [InlineData(new[] { 1 })]
    public void Match_SameTokensElsewhereOrTooFew_FindsNothing(int[] tokens)
    {
        KvBlockPool pool = new(new KvCapacity(4, 2), reusePrefixes: true);
        Store(pool, [1, 2, 3, 4]);
        ulong link = Root;
        Assert.Equal(0, pool.Match(tokens, [], ref link));
        link = KvBlockPool.Root(1);
        Assert.Equal(0, pool.Match([1, 2, 3, 4], [], ref link));
    }

    [Fact]
    public void TryExtend_NoFreeBlocks_EvictsTheLongestUnusedAndItsTailsFirst()
    {
        KvBlockPool pool = new(new KvCapacity(4, 2), reusePrefixes: true);
        List<int> old = Store(pool, [1, 2, 3, 4]);
        List<int> recent = Store(pool, [5, 6, 7, 8]);
        pool.Release(old);
        pool.Release(recent);
        Assert.True(pool.TryExtend([], 1));

        Assert.Equal(2, Matched(pool, [1, 2, 3, 4]));
        Assert.Equal(4, Matched(pool, [5, 6, 7, 8]));
        Assert.True(pool.TryExtend([], 1)); // 1, 2 was matched after 3, 4 was evicted, but before 5, 6, 7, 8
        Assert.Equal(0, Matched(pool, [1, 2, 3, 4]));
        Assert.Equal(4, Matched(pool, [5, 6, 7, 8]));
        pool.Check();
    }

    [Fact]
    public void Match_OtherTokensWithTheSameHash_FindsNothing()
    {
        KvBlockPool pool = new(new KvCapacity(4, 2), reusePrefixes: true);
        (int[] tokens, int[] twins) = Collision();
        Assert.Equal(KvBlockPool.Hash(Root, tokens), KvBlockPool.Hash(Root, twins));
        pool.Register(Block(pool), tokens, Root);

        Assert.Equal(0, Matched(pool, twins));
        pool.Register(Block(pool), twins, Root); // simply not cached
        Assert.Equal(0, Matched(pool, twins));
        Assert.Equal(2, Matched(pool, tokens));
        pool.Check();
    }

    [Fact]
    public void Register_TwoComputeTheSamePrefix_BothContinueOneChain()
    {
        KvBlockPool pool = new(new KvCapacity(4, 1), reusePrefixes: true);
        ulong first = pool.Register(Block(pool), [1], Root);
        ulong second = pool.Register(Block(pool), [1], Root);
        pool.Register(Block(pool), [2], second);

        Assert.Equal(first, second);
        Assert.Equal(2, Matched(pool, [1, 2]));
    }

    [Fact]
    public void Release_BlockNobodyHolds_Throws()
    {
        KvBlockPool pool = new(new KvCapacity(2, 2), reusePrefixes: false);
        Assert.Throws<InvalidOperationException>(() => pool.Release([1]));
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Match_RandomUse_IsNeverWrongAndTheBooksBalance(int seed)
    {
        Random random = new(seed);
        KvBlockPool pool = new(new KvCapacity(random.Next(4, 20), 2), reusePrefixes: true);
        List<(List<int> Table, int[] Tokens)> live = [];
        Dictionary<int, int[]> contents = []; // block -> the whole prefix that was last computed into it
        for (int i = 0; i < 400; i++)
        {
            if (live.Count > 0 && random.Next(2) == 0)
            {
                int index = random.Next(live.Count);
                pool.Release(live[index].Table);
                live.RemoveAt(index);
            }
            int[] tokens = [.. Enumerable.Range(0, random.Next(1, 9)).Select(_ => random.Next(2))];
            List<int> table = [];
            ulong link = Root;
            int cached = pool.Match(tokens, table, ref link);
            for (int block = 0; block < table.Count; block++)
                Assert.Equal(tokens.Take((block * 2) + 2), contents[table[block]]);
            int matched = table.Count;
            if (pool.TryExtend(table, ((tokens.Length + 1) / 2) - matched))
            {
                Compute(pool, tokens, table, matched, link, contents);
                live.Add((table, tokens));
            }
            else
            {
                pool.Release(table);
            }
            Assert.True(cached % 2 == 0 && cached <= tokens.Length);
            pool.Check();
            Assert.Equal(pool.Used, live.SelectMany(sequence => sequence.Table).Distinct().Count());
        }
    }

    private static void Compute(
        KvBlockPool pool, int[] tokens, List<int> table, int from, ulong link, Dictionary<int, int[]> contents)
    {
        for (int block = from; (block * 2) + 2 <= tokens.Length; block++)
        {
            contents[table[block]] = tokens[..((block * 2) + 2)];
            link = pool.Register(table[block], tokens.AsSpan(block * 2, 2), link);
        }
    }

    private static List<int> Store(KvBlockPool pool, int[] tokens)
    {
        List<int> table = [];
        Assert.True(pool.TryExtend(table, (tokens.Length + 1) / 2));
        Compute(pool, tokens, table, 0, Root, []);
        return table;
    }

    private static (int[] Tokens, int[] Twins) Collision()
    {
        Random random = new(1);
        Dictionary<uint, int[]> seen = [];
        while (true)
        {
            int[] tokens = [random.Next(), random.Next()];
            uint hash = KvBlockPool.Hash(Root, tokens);
            if (seen.TryGetValue(hash, out int[]? twins)) return (tokens, twins);
            seen.Add(hash, tokens);
        }
    }

    private static int Block(KvBlockPool pool)
    {
        List<int> table = [];
        Assert.True(pool.TryExtend(table, 1));
        return table[0];
    }

    private static int Matched(KvBlockPool pool, int[] tokens)
    {
        List<int> table = [];
        ulong link = Root;
        int matched = pool.Match(tokens, table, ref link);
        pool.Release(table);
        return matched;
    }
}

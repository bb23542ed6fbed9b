namespace Serving.Inference.Scheduling;

/// <summary>
/// Who holds which K/V block. A block is <em>used</em> (referenced by block tables), <em>cached</em> (nobody's, but its
/// tokens are known and may come again) or <em>free</em>; cached blocks are evicted, oldest first, when free ones run out.
/// </summary>
/// <remarks>
/// Bookkeeping only: no tensors, no clock. Owned by one thread; allocates nothing after construction.
/// A full block is named by a link: a serial number that no other registered block ever had. It is found again by
/// (the link of the block before it, its tokens), and both are compared, not only hashed: by induction a hit is the same
/// text from the first token on.
/// </remarks>
internal sealed class KvBlockPool
{
    private const int None = -1;

    /// <summary>Roots of the chains have this bit; links of blocks do not.</summary>
    private const ulong RootBit = 1UL << 63;

    private readonly int _blockTokens;
    private readonly Entry[] _entries;
    private readonly int[] _tokens; // [blocks, blockTokens]
    private readonly Dictionary<ulong, int> _byHash;
    private readonly Stack<int> _free;
    private ulong _lastLink;
    private int _oldest = None;
    private int _newest = None;

    /// <summary>A pool of <paramref name="capacity"/>'s blocks, all free.</summary>
    /// <param name="capacity">At least one block of at least one token.</param>
    /// <param name="reusePrefixes">Whether full blocks may be found again by their tokens.</param>
    public KvBlockPool(KvCapacity capacity, bool reusePrefixes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity.Blocks, 1, nameof(capacity));
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity.BlockTokens, 1, nameof(capacity));
        _blockTokens = capacity.BlockTokens;
        _entries = new Entry[capacity.Blocks];
        _tokens = reusePrefixes ? new int[capacity.Blocks * capacity.BlockTokens] : [];
        _byHash = new Dictionary<ulong, int>(capacity.Blocks);
        _free = new Stack<int>(capacity.Blocks);
        for (int block = capacity.Blocks - 1; block >= 0; block--) _free.Push(block);
        ReusesPrefixes = reusePrefixes;
    }

    /// <summary>Whether full blocks may be found again by their tokens.</summary>
    public bool ReusesPrefixes { get; }

    /// <summary>All blocks.</summary>
    public int Total => _entries.Length;

    /// <summary>Blocks that hold nothing.</summary>
    public int Free => _free.Count;

    /// <summary>Blocks that nobody references and a prefix may hit.</summary>
    public int Cached { get; private set; }

    /// <summary>Blocks that at least one table references.</summary>
    public int Used => Total - Free - Cached;

    /// <summary>Blocks that can be handed out.</summary>
    public int Available => Free + Cached;

    /// <summary>The link that the first block of a sequence follows. Scopes never share blocks.</summary>
    public static ulong Root(long scope) => RootBit | (ulong)scope;

    /// <summary>
    /// Appends to <paramref name="table"/> the longest known run of full blocks that <paramref name="tokens"/> begin with,
    /// references them, and moves <paramref name="link"/> (at first a root) to the last of them.
    /// </summary>
    /// <returns>The tokens that these blocks cover, a multiple of the block size and at most <c>tokens.Length</c>.</returns>
    public int Match(ReadOnlySpan<int> tokens, List<int> table, ref ulong link)
    {
        if (!ReusesPrefixes) return 0;
        int covered = 0;
        while (tokens.Length - covered >= _blockTokens
            && TryFind(link, tokens.Slice(covered, _blockTokens), out int block))
        {
            Reference(block);
            table.Add(block);
            link = _entries[block].Link;
            covered += _blockTokens;
        }
        return covered;
    }

    /// <summary>Appends <paramref name="count"/> blocks to <paramref name="table"/>, or none when fewer are available.</summary>
    public bool TryExtend(List<int> table, int count)
    {
        if (count > Available) return false;
        for (int i = 0; i < count; i++)
        {
            int block = _free.TryPop(out int free) ? free : EvictOldest();
            _entries[block].References = 1;
            table.Add(block);
        }
        return true;
    }

    /// <summary>Makes a full, computed block known, unless an equal one already is.</summary>
    /// <param name="block">A used block.</param>
    /// <param name="tokens">Its tokens, exactly a block of them.</param>
    /// <param name="link">The link of the block before it, or a root.</param>
    /// <returns>The link for the block after it.</returns>
    public ulong Register(int block, ReadOnlySpan<int> tokens, ulong link)
    {
        if (!ReusesPrefixes) return link;
        if (TryFind(link, tokens, out int known)) return _entries[known].Link;
        ulong hash = Hash(link, tokens);
        ref Entry entry = ref _entries[block];
        entry.Link = ++_lastLink;
        entry.Previous = link;
        tokens.CopyTo(TokensOf(block));
        entry.Hash = hash;
        entry.Registered = _byHash.TryAdd(hash, block); // a collision with other tokens: simply not cached
        return entry.Link;
    }

    /// <summary>Gives up a table's references and empties it. Its last blocks will be evicted before its first.</summary>
    public void Release(List<int> table)
    {
        for (int i = table.Count - 1; i >= 0; i--)
        {
            int block = table[i];
            if (_entries[block].References < 1) throw new InvalidOperationException($"K/V block {block} was released twice.");
            if (--_entries[block].References > 0) continue;
            if (_entries[block].Registered) AppendNewest(block);
            else _free.Push(block);
        }
        table.Clear();
    }

    /// <summary>Recounts everything; for tests.</summary>
    /// <exception cref="InvalidOperationException">The books do not balance.</exception>
    public void Check()
    {
        HashSet<int> free = [.. _free];
        int cached = 0;
        for (int block = _oldest; block != None; block = _entries[block].Newer) cached++;
        int used = _entries.Count(entry => entry.References > 0);
        int registered = _entries.Count(entry => entry.Registered);
        bool sound = free.Count == Free && cached == Cached && used == Used && registered == _byHash.Count
            && free.All(block => _entries[block] is { References: 0, Registered: false })
            && _byHash.All(pair => _entries[pair.Value].Registered && _entries[pair.Value].Hash == pair.Key);
        if (!sound)
            throw new InvalidOperationException($"K/V blocks: {free.Count} free + {cached} cached + {used} used of {Total}.");
    }

    /// <summary>How many tables reference a block; for tests.</summary>
    public int References(int block) => _entries[block].References;

    private bool TryFind(ulong link, ReadOnlySpan<int> tokens, out int block) =>
        _byHash.TryGetValue(Hash(link, tokens), out block)
        && _entries[block].Previous == link
        && tokens.SequenceEqual(TokensOf(block));

    private void Reference(int block)
    {
        if (_entries[block].References++ == 0) Unlink(block);
    }

    private int EvictOldest()
    {
        int block = _oldest;
        Unlink(block);
        _byHash.Remove(_entries[block].Hash);
        _entries[block].Registered = false;
        return block;
    }

    private void AppendNewest(int block)
    {
        _entries[block].Older = _newest;
        _entries[block].Newer = None;
        if (_newest == None) _oldest = block;
        else _entries[_newest].Newer = block;
        _newest = block;
        Cached++;
    }

    private void Unlink(int block)
    {
        (int older, int newer) = (_entries[block].Older, _entries[block].Newer);
        if (older == None) _oldest = newer;
        else _entries[older].Newer = newer;
        if (newer == None) _newest = older;
        else _entries[newer].Older = older;
        Cached--;
    }

    private Span<int> TokensOf(int block) => _tokens.AsSpan(block * _blockTokens, _blockTokens);

    private static ulong Hash(ulong link, ReadOnlySpan<int> tokens)
    {
        ulong hash = link;
        foreach (int token in tokens) hash = (ulong.RotateLeft(hash, 23) ^ (uint)token) * 0x9E3779B97F4A7C15;
        return hash ^ (hash >> 32);
    }

    /// <summary>What is known of one block.</summary>
    private struct Entry
    {
        public int References;
        public bool Registered;
        public ulong Hash;
        public ulong Link;
        public ulong Previous;
        public int Older;
        public int Newer;
    }
}

using System.Runtime.InteropServices;

namespace Serving.Inference.Torch;

/// <summary>
/// A ragged batch as a device wants it: chunks in an order that lets them attend in few calls, and every index that a pass needs in
/// one list, so that one copy takes them over. Reused from pass to pass; not thread-safe.
/// </summary>
internal sealed class BatchLayout
{
    /// <summary>The most tokens whose keys and values are gathered for one call, which bounds its memory.</summary>
    public const int MostGatheredTokens = 1 << 17;

    private const int AlwaysTogetherBlocks = 8;

    private readonly List<int> _order = [];
    private readonly List<AttentionGroup> _groups = [];
    private readonly List<long> _indices = [];
    private readonly List<int> _firstAsked = []; // by chunk of the batch: its first row among the asked ones
    private int[] _blocks = [];

    /// <summary>Rows of the pass.</summary>
    public int Rows { get; private set; }

    /// <summary>Blocks that a chunk begins and does not fill.</summary>
    public int FreshBlocks { get; private set; }

    /// <summary>Rows that want logits.</summary>
    public int LogitRows { get; private set; }

    /// <summary>Chunks in the order of their rows.</summary>
    public ReadOnlySpan<AttentionGroup> Groups => CollectionsMarshal.AsSpan(_groups);

    /// <summary>Tokens, positions and slots of the rows; fresh blocks; where the rows that want logits stand among those asked; and the
    /// groups' block tables, one after the other.</summary>
    public ReadOnlySpan<long> Indices => CollectionsMarshal.AsSpan(_indices);

    /// <summary>A chunk's first row among those that are asked for something.</summary>
    public int FirstAsked(int chunk) => _firstAsked[chunk];

    /// <summary>How many of a chunk's rows are asked for something.</summary>
    public static int AskedRows(in ForwardBatch.Chunk chunk) => chunk.HiddenSum is null ? chunk.LogitRows : chunk.Length;

    /// <summary>Lays a batch out.</summary>
    public void Arrange(ForwardBatch batch)
    {
        Sort(batch.Chunks);
        Group(batch.Chunks);
        _indices.Clear();
        Rows = batch.Tokens.Length;
        foreach (int index in _order)
        {
            ForwardBatch.Chunk chunk = batch.Chunks[index];
            foreach (int token in batch.Tokens.Slice(chunk.Start, chunk.Length))
                _indices.Add(token);
        }
        AddPlaces(batch.Chunks);
        AddFreshBlocks(batch.Chunks);
        AddLogitRows(batch.Chunks);
        AddTables(batch.Chunks);
    }

    private static int BlocksOf(in ForwardBatch.Chunk chunk) => (chunk.Position + chunk.Length + DeviceKv.BlockTokens - 1) / DeviceKv.BlockTokens;

    private static bool LooksAtItselfAlone(in ForwardBatch.Chunk chunk) => chunk is { Position: 0, Length: > 1 };

    private void Sort(ReadOnlySpan<ForwardBatch.Chunk> chunks)
    {
        _order.Clear();
        if (_blocks.Length < chunks.Length)
            _blocks = new int[chunks.Length * 2];
        for (int i = 0; i < chunks.Length; i++)
        {
            _order.Add(i);
            _blocks[i] = BlocksOf(chunks[i]);
        }
        // Insertion is stable and allocates nothing; batches are short, and nearly sorted from step to step.
        for (int i = 1; i < _order.Count; i++)
        {
            int index = _order[i], place = i;
            for (; place > 0 && IsBefore(chunks, index, _order[place - 1]); place--)
                _order[place] = _order[place - 1];
            _order[place] = index;
        }
    }

    private bool IsBefore(ReadOnlySpan<ForwardBatch.Chunk> chunks, int a, int b) =>
        KeyOf(chunks[a], _blocks[a]).CompareTo(KeyOf(chunks[b], _blocks[b])) < 0;

    private static (int, bool, int, int) KeyOf(in ForwardBatch.Chunk chunk, int blocks) =>
        (chunk.Length, LooksAtItselfAlone(chunk), AskedRows(chunk), blocks);

    private void Group(ReadOnlySpan<ForwardBatch.Chunk> chunks)
    {
        _groups.Clear();
        int row = 0;
        for (int i = 0; i < _order.Count;)
        {
            ForwardBatch.Chunk first = chunks[_order[i]];
            int most = Math.Max(AlwaysTogetherBlocks, 2 * BlocksOf(first)), count = 0, blocks = 0;
            for (; i + count < _order.Count; count++)
            {
                ForwardBatch.Chunk next = chunks[_order[i + count]];
                bool isAlike = next.Length == first.Length && AskedRows(next) == AskedRows(first)
                    && LooksAtItselfAlone(next) == LooksAtItselfAlone(first);
                int longest = BlocksOf(next);
                if (!isAlike || (count > 0 && (longest > most || (count + 1L) * longest * DeviceKv.BlockTokens > MostGatheredTokens)))
                    break;
                blocks = longest;
            }
            _groups.Add(new AttentionGroup(row, count, first.Length, AskedRows(first), LooksAtItselfAlone(first) ? 0 : blocks));
            row += count * first.Length;
            i += count;
        }
    }

    private void AddPlaces(ReadOnlySpan<ForwardBatch.Chunk> chunks)
    {
        foreach (int index in _order)
        {
            for (int i = 0; i < chunks[index].Length; i++)
                _indices.Add(chunks[index].Position + i);
        }
        foreach (int index in _order)
        {
            ForwardBatch.Chunk chunk = chunks[index];
            for (int position = chunk.Position; position < chunk.Position + chunk.Length; position++)
            {
                (int block, int slot) = Math.DivRem(position, DeviceKv.BlockTokens);
                _indices.Add(((long)chunk.Blocks[block] * DeviceKv.BlockTokens) + slot);
            }
        }
    }

    private void AddFreshBlocks(ReadOnlySpan<ForwardBatch.Chunk> chunks)
    {
        FreshBlocks = 0;
        foreach (int index in _order)
        {
            ForwardBatch.Chunk chunk = chunks[index];
            int last = BlocksOf(chunk) - 1, end = chunk.Position + chunk.Length;
            if (chunk.Position > last * DeviceKv.BlockTokens || end % DeviceKv.BlockTokens == 0)
                continue;
            _indices.Add(chunk.Blocks[last]);
            FreshBlocks++;
        }
    }

    private void AddLogitRows(ReadOnlySpan<ForwardBatch.Chunk> chunks)
    {
        _firstAsked.Clear();
        CollectionsMarshal.SetCount(_firstAsked, chunks.Length);
        int asked = 0;
        LogitRows = 0;
        foreach (int index in _order)
        {
            _firstAsked[index] = asked;
            asked += AskedRows(chunks[index]);
        }
        for (int index = 0; index < chunks.Length; index++)
        {
            int end = _firstAsked[index] + AskedRows(chunks[index]);
            for (int row = end - chunks[index].LogitRows; row < end; row++, LogitRows++)
                _indices.Add(row);
        }
    }

    // Each as long as the group's longest; what is past a chunk's own repeats its first block, and the mask leaves it out.
    private void AddTables(ReadOnlySpan<ForwardBatch.Chunk> chunks)
    {
        int next = 0;
        foreach (AttentionGroup group in Groups)
        {
            for (int i = 0; i < group.Chunks; i++, next++)
            {
                ForwardBatch.Chunk chunk = chunks[_order[next]];
                int own = BlocksOf(chunk);
                for (int block = 0; block < group.Blocks; block++)
                    _indices.Add(chunk.Blocks[block < own ? block : 0]);
            }
        }
    }
}

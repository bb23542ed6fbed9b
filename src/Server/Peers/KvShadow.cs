using System.Runtime.InteropServices;
using Serving.Inference;

namespace Serving.Server.Peers;

/// <summary>
/// What the K/V blocks of a remote model stand for: the token of every slot and the last write to every block. From it a peer that
/// lost its memory, or never had it, gets exactly what it needs. Owned by the thread that makes plans; attempts only read.
/// </summary>
internal sealed class KvShadow(KvCapacity kv)
{
    private readonly int[] _tokens = new int[checked(kv.Blocks * kv.BlockTokens)];
    private readonly long[] _writes = new long[kv.Blocks];
    private uint _step;

    public KvCapacity Kv => kv;

    /// <summary>Notes a batch's writes.</summary>
    public StepPlan Plan(ForwardBatch batch)
    {
        _step = (_step + 1) & int.MaxValue;
        var chunks = new StepPlan.Chunk[batch.Chunks.Length];
        for (int i = 0; i < chunks.Length; i++)
        {
            ref readonly ForwardBatch.Chunk chunk = ref batch.Chunks[i];
            ReadOnlySpan<int> blocks = CollectionsMarshal.AsSpan(chunk.Blocks)[..BlocksFor(chunk.Position + chunk.Length)];
            long[] before = new long[BlocksFor(chunk.Position)];
            for (int block = 0; block < before.Length; block++)
                before[block] = _writes[blocks[block]];
            chunks[i] = new(chunk.Position, batch.Tokens.Slice(chunk.Start, chunk.Length).ToArray(), chunk.LogitRows, blocks.ToArray(), before);
        }
        foreach (StepPlan.Chunk chunk in chunks)
            Write(chunk);
        return new StepPlan(_step, chunks, batch.LogitRows);
    }

    /// <summary>The token that stands at a position of a chunk's sequence.</summary>
    public int TokenAt(StepPlan.Chunk chunk, int position) =>
        _tokens[(chunk.Blocks[position / kv.BlockTokens] * kv.BlockTokens) + (position % kv.BlockTokens)];

    /// <summary>The last write to a block.</summary>
    public long WriteOf(int block) => _writes[block];

    private void Write(StepPlan.Chunk chunk)
    {
        for (int i = 0; i < chunk.Tokens.Length; i++)
        {
            (int index, int slot) = Math.DivRem(chunk.Position + i, kv.BlockTokens);
            int block = chunk.Blocks[index];
            _tokens[(block * kv.BlockTokens) + slot] = chunk.Tokens[i];
            _writes[block] = _step + 1L;
        }
    }

    private int BlocksFor(int tokens) => (tokens + kv.BlockTokens - 1) / kv.BlockTokens;
}

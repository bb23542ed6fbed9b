using Serving.Inference.Speculation;

namespace Serving.Inference.Cpu;

/// <summary>The part that answers early, and goes on from there.</summary>
public sealed unsafe partial class CpuBackend : IDraftingBackend
{
    private readonly EarlyExit? _exit;
    private readonly ForwardBatch _fresh = new(); // the chunks of a batch that were not drafted

    /// <inheritdoc/>
    public bool CanDraft => _exit is not null;

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">As <see cref="Forward"/>.</exception>
    public void Draft(ForwardBatch batch, Span<float> logits)
    {
        EarlyExit exit = _exit ?? throw new InvalidOperationException("This backend was made without an earlier stage.");
        Check(batch, logits);
        if (batch.Tokens.Length == 0)
            return;
        using WorkerPool.Turn turn = _pool.TakeTurn(batch.Beat);
        RunFirstBlocks(batch, exit);
        KeepAskedRows();
        fixed (float* y = logits)
        {
            Plan(exit.Depth, exit.Depth, exit.FinalNorm, exit.Head, y);
            _pool.Run(_chain);
        }
    }

    /// <summary>Makes <see cref="Chain"/> ready to be run by the caller, whose turn it is.</summary>
    internal void Begin(ForwardBatch batch, float* logits)
    {
        _work.Ensure(batch.Tokens.Length);
        Plan(Enter(batch), _model.Blocks.Length, _model.FinalNorm, _model.Head, logits);
    }

    // Embeds what is new; what was drafted starts after the first blocks, and then all of the batch has to. Returns the block to
    // start with.
    private int Enter(ForwardBatch batch)
    {
        bool anyDrafted = false;
        foreach (ref readonly ForwardBatch.Chunk chunk in batch.Chunks)
            anyDrafted |= chunk.Drafted;
        if (!anyDrafted)
        {
            (_batch, _rows) = (batch, batch.Tokens.Length);
            Embed(batch);
            return 0;
        }
        EarlyExit exit = _exit ?? throw new ArgumentException("A chunk was drafted, but this backend cannot draft.", nameof(batch));
        _fresh.Clear();
        foreach (ref readonly ForwardBatch.Chunk chunk in batch.Chunks)
        {
            if (!chunk.Drafted)
                _fresh.Add(batch.Tokens.Slice(chunk.Start, chunk.Length), chunk.Position, chunk.Blocks, logitRows: 0);
        }
        if (_fresh.Tokens.Length > 0)
            RunFirstBlocks(_fresh, exit);
        (_batch, _rows) = (batch, batch.Tokens.Length);
        Place(batch);
        for (int row = 0; row < _rows; row++)
            new ReadOnlySpan<float>(KeptRow(exit, row), _work.Stride).CopyTo(ResidualRow(row));
        return exit.Depth;
    }

    private void RunFirstBlocks(ForwardBatch batch, EarlyExit exit)
    {
        _work.Ensure(batch.Tokens.Length);
        (_batch, _rows) = (batch, batch.Tokens.Length);
        Embed(batch);
        Plan(0, exit.Depth);
        _pool.Run(_chain);
        for (int row = 0; row < _rows; row++)
            ResidualRow(row).CopyTo(new Span<float>(KeptRow(exit, row), _work.Stride));
    }

    private Span<float> ResidualRow(int row) => new(_work.Residual + ((long)row * _work.Stride), _work.Stride);

    private float* KeptRow(EarlyExit exit, int row)
    {
        (int block, int slot) = Math.DivRem(_work.Positions[row], KvStore.BlockTokens);
        return exit.Residual(BlocksOf(row)[block], slot);
    }
}

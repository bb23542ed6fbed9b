namespace Serving.Inference.Cpu;

/// <summary>
/// The passes of several backends over one batch, side by side on their threads: while a step of one is too small to share, or nearly
/// done, there is another to work on. Each backend's logits are the same bits as by itself.
/// </summary>
/// <remarks>Not thread-safe, like the backends. Allocates nothing.</remarks>
internal sealed unsafe class SideBySide
{
    private readonly CpuBackend?[] _members; // null = not one of those
    private readonly RegionChain[] _chains;

    /// <param name="members">Any backends; those on the processors that share the threads of the first such are taken, each once.</param>
    public SideBySide(IReadOnlyList<IBackend> members)
    {
        CpuBackend[] all = [.. members.OfType<CpuBackend>()];
        Pool = all.Length == 0 ? WorkerPool.OfThreads(0) : all[0].Pool;
        _members = [.. members.Select((member, i) =>
            member is CpuBackend cpu && cpu.Pool == Pool && !members.Take(i).Contains(member) ? cpu : null)];
        _chains = [.. _members.OfType<CpuBackend>().Select(member => member.Chain)];
    }

    /// <summary>The backends' threads; those of a default backend where none is taken.</summary>
    public WorkerPool Pool { get; }

    /// <summary>Whether a member is taken.</summary>
    public bool Has(int member) => _members[member] is not null;

    /// <summary>The passes of those that are taken.</summary>
    /// <param name="batch">As in <see cref="IBackend.Forward"/>.</param>
    /// <param name="logits">Of every member; pinned.</param>
    /// <exception cref="ArgumentException">As <see cref="CpuBackend.Forward"/>.</exception>
    public void Forward(ForwardBatch batch, float[][] logits)
    {
        for (int i = 0; i < _members.Length; i++)
            _members[i]?.Check(batch, logits[i]);
        if (batch.Tokens.Length == 0)
            return;
        using WorkerPool.Turn turn = Pool.TakeTurn(batch.Beat);
        for (int i = 0; i < _members.Length; i++)
            _members[i]?.Begin(batch, (float*)System.Runtime.InteropServices.Marshal.UnsafeAddrOfPinnedArrayElement(logits[i], 0));
        Pool.Run(_chains);
    }
}

using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu.Kernels;
using Serving.Inference.Scheduling;

namespace Serving.Inference.Cpu;

/// <summary>The memory that a served model takes, told before any of it is taken.</summary>
/// <param name="WeightBytes">Packed matrices and tables, before other models share any of them.</param>
/// <param name="KvBytes">Keys and values of <paramref name="KvTokens"/> tokens, in all members of an ensemble.</param>
/// <param name="KvTokens">Tokens of all running requests together; a single one that needs more is refused.</param>
/// <param name="WorkspaceBytes">Activations of the largest forward pass, the angles of all positions, and the logits of all rows that may ask for them at once:
/// prompts are scored in slices of so many rows.</param>
public readonly record struct MemoryPlan(long WeightBytes, long KvBytes, long KvTokens, long WorkspaceBytes)
{
    /// <summary>Keys and values of one request that fills the context, or all there is room for.</summary>
    public long LeastKvBytes { get; init; }

    /// <summary>What it takes to answer one request at a time, however long it is.</summary>
    public long LeastBytes => WeightBytes + LeastKvBytes + WorkspaceBytes;

    /// <summary>All of it.</summary>
    public long TotalBytes => WeightBytes + KvBytes + WorkspaceBytes;

    /// <summary>The plan of an ensemble of loaded models: each member takes K/V and a workspace of its own beside those that it has
    /// as a model by itself. Weights are the members' own and in memory already.</summary>
    /// <param name="weightBytes">What the members hold together, each shared piece once.</param>
    /// <param name="members">Their plans.</param>
    /// <param name="logitRows">The most rows of logits in a pass.</param>
    /// <param name="vocabularySize">Logits a row.</param>
    public static MemoryPlan OfEnsemble(long weightBytes, IReadOnlyList<MemoryPlan> members, int logitRows, int vocabularySize) => new(
        weightBytes,
        members.Sum(member => member.KvBytes),
        members.Min(member => member.KvTokens),
        members.Sum(member => member.WorkspaceBytes) + ((long)logitRows * vocabularySize * sizeof(float)))
    {
        LeastKvBytes = members.Sum(member => member.LeastKvBytes),
    };

    /// <summary>The plan of a checkpoint of one expert or several.</summary>
    /// <param name="model">The checkpoint.</param>
    /// <param name="cpu">Threads, K/V and quantization.</param>
    /// <param name="engine">The budgets of a forward pass.</param>
    public static MemoryPlan Of(LoadedModel model, CpuOptions cpu, EngineOptions engine)
    {
        CpuMemory memory = CpuMemory.Of(model, cpu.Quantization);
        long blocks = cpu.KvBlocks > 0 ? cpu.KvBlocks : CpuMemory.DefaultBlocks(model.Weights.ContextTokens);
        int threads = WorkerPool.OfThreads(cpu.Threads).Threads;
        long activations = model.Experts.Sum(expert => Workspace.BytesOf(
            engine.TokenBudget, expert.Width, 3L * expert.Heads * Lanes.RoundUp(expert.HeadSize), expert.HiddenWidth,
            expert.ContextTokens, threads) + MatrixProduct.BytesOf(threads) + RotaryTable.BytesOf(expert.ContextTokens, expert.HeadSize));
        // Each expert of several writes logits of its own, and then there is their mean.
        int rows = model.Experts.Count == 1 ? 1 : model.Experts.Count + 1;
        long logits = (long)rows * engine.LogitRows * model.Weights.VocabularySize * sizeof(float);
        return new MemoryPlan(memory.WeightBytes, blocks * memory.BlockBytes, blocks * CpuMemory.BlockTokens, activations + logits)
        {
            LeastKvBytes = Math.Min(blocks, memory.BlocksPerSequence) * memory.BlockBytes,
        };
    }
}

using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu.Kernels;
using Serving.Inference.Devices;
using Serving.Inference.Scheduling;

namespace Serving.Inference.Cpu;

/// <summary>This machine's processors, by this project's own kernels.</summary>
/// <param name="options">Threads, K/V and quantization; null = defaults.</param>
public sealed class CpuDevice(CpuOptions? options = null) : IDevice
{
    private readonly CpuOptions _options = options ?? new CpuOptions();

    /// <inheritdoc/>
    public string Name => "cpu";

    /// <inheritdoc/>
    public string Arithmetic => $"{CpuBackend.Instructions} {_options.Quantization}";

    /// <inheritdoc/>
    public bool IsBatchInvariant => true;

    /// <inheritdoc/>
    public MemoryPlan Plan(IReadOnlyList<TransformerWeights> experts, EngineOptions engine)
    {
        CpuMemory memory = CpuMemory.Of(experts, _options.Quantization);
        long blocks = _options.KvBlocks > 0 ? _options.KvBlocks : CpuMemory.DefaultBlocks(experts[0].ContextTokens);
        int threads = WorkerPool.OfThreads(_options.Threads).Threads;
        long activations = experts.Sum(expert => Workspace.BytesOf(
            engine.TokenBudget, expert.Width, 3L * expert.Heads * Lanes.RoundUp(expert.HeadSize), expert.HiddenWidth,
            expert.ContextTokens, threads) + MatrixProduct.BytesOf(threads) + RotaryTable.BytesOf(expert.ContextTokens, expert.HeadSize)
            + (_options.Quantization.For(expert) == Quantization.EightBits ? QuantizedRows.BytesOf(engine.TokenBudget, Math.Max(expert.Width, expert.HiddenWidth)) : 0));
        // Each expert of several writes logits of its own, and then there is their mean.
        int rows = experts.Count == 1 ? 1 : experts.Count + 1;
        long logits = (long)rows * engine.LogitRows * experts[0].VocabularySize * sizeof(float);
        return new MemoryPlan(memory.WeightBytes, blocks * memory.BlockBytes, blocks * CpuMemory.BlockTokens, activations + logits)
        {
            LeastKvBytes = Math.Min(blocks, memory.BlocksPerSequence) * memory.BlockBytes,
        };
    }

    /// <inheritdoc/>
    public IExperts Load(string id, IReadOnlyList<TransformerWeights> experts, IProgress<double>? progress = null) =>
        new CpuExperts(id, experts, _options, progress);
}

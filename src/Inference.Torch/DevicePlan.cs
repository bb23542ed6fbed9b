using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu;
using Serving.Inference.Scheduling;
using TorchSharp;

namespace Serving.Inference.Torch;

/// <summary>The memory that one expert takes on a device, from shapes alone; its table is not counted.</summary>
/// <param name="MatrixBytes">Matrices, biases and norms.</param>
/// <param name="KvBytes">Keys and values of <paramref name="KvTokens"/> tokens, in all layers.</param>
/// <param name="KvTokens">Tokens.</param>
/// <param name="WorkspaceBytes">The largest forward pass: what stands beside each other within a block, and the logits.</param>
internal readonly record struct DevicePlan(long MatrixBytes, long KvBytes, long KvTokens, long WorkspaceBytes)
{
    public static DevicePlan Of(TransformerWeights weights, TorchOptions options, EngineOptions engine)
    {
        long bytes = torch.empty([0], weights.TypeOn(options.Precision)).ElementSize, width = weights.Width;
        long tokens = (long)KvBlocks(weights, options) * DeviceKv.BlockTokens;
        long perToken = (width * sizeof(float) * 3) + ((width * 8) + weights.HiddenWidth) * bytes;
        long logits = (long)engine.LogitRows * weights.VocabularySize * sizeof(float);
        long gathered = Math.Min(tokens, BatchLayout.MostGatheredTokens) * 2 * width * bytes;
        return new DevicePlan(
            weights.Tensors().Sum(tensor => tensor.Elements) * bytes, weights.Blocks.Count * tokens * 2 * width * bytes, tokens,
            (engine.TokenBudget * perToken) + gathered + (2 * logits));
    }

    /// <summary>As many as were asked for, or enough for some sequences of full length.</summary>
    public static int KvBlocks(TransformerWeights weights, TorchOptions options) =>
        KvBlocks(weights.ContextTokens, options.KvBlocks);

    /// <summary>As many as were asked for, or enough for some sequences of full length.</summary>
    public static int KvBlocks(int contextTokens, int asked) =>
        asked > 0 ? asked : CpuMemory.DefaultBlocks(contextTokens);
}

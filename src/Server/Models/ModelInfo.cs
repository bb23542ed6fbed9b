using System.ComponentModel;
using Serving.Inference.Cpu;

namespace Serving.Server.Models;

/// <summary>A model as clients see it. Sizes and fingerprints are null until it is loaded.</summary>
internal sealed record ModelInfo
{
    public required string Id { get; init; }

    [Description("Always model.")]
    public string Object { get; init; } = "model";

    [Description("When its configuration was written, in seconds since 1970.")]
    public required long Created { get; init; }

    public string OwnedBy { get; init; } = "serving";

    [Description("model or ensemble.")]
    public string Kind { get; init; } = "model";

    [Description("loading, ready, failed or unloaded.")]
    public required string State { get; init; }

    [Description("Why it failed.")]
    public string? Error { get; init; }

    [Description("Of the version that answers; every answer names the one it is of.")]
    public string? SystemFingerprint { get; init; }

    [Description("The most tokens of prompt and answer together.")]
    public int? MaxModelLen { get; init; }

    public int? VocabSize { get; init; }

    [Description("Values, learned and frozen.")]
    public long? Parameters { get; init; }

    [Description("Of the weights on disk: float32, bfloat16 or float16; several, joined by +, in an ensemble of such.")]
    public string? Dtype { get; init; }

    [Description("Memory of the weights, the embedding table included.")]
    public long? Bytes { get; init; }

    [Description("How much of it other models of this server use, too: equal weights are in memory once. Of an ensemble: all of it, "
        + "which its members hold.")]
    public long? SharedBytes { get; init; }

    [Description("The most memory that it takes, by use. Of an ensemble: its members' weights, and the keys, values and "
        + "workspace that they take for it beside their own.")]
    public ModelMemory? Memory { get; init; }

    [Description("Equal for models that stand on the same embedding table.")]
    public string? EmbeddingFingerprint { get; init; }

    [Description("Equal for models that cut text into the same tokens.")]
    public string? TokenizerFingerprint { get; init; }

    [Description("Of a grown model: the numbers of blocks that it answers from, too, as the model id@depth=n; else null.")]
    public IReadOnlyList<int>? Depths { get; init; }

    [Description("The members of an ensemble; null for a model.")]
    public IReadOnlyList<string>? Experts { get; init; }
}

/// <summary>Bytes: the plan that a model was loaded by.</summary>
/// <param name="WeightBytes">Packed matrices and table.</param>
/// <param name="KvBytes">Keys and values.</param>
/// <param name="KvTokens">Tokens whose keys and values there is room for.</param>
/// <param name="WorkspaceBytes">Activations and logits of the largest forward pass.</param>
internal sealed record ModelMemory(long WeightBytes, long KvBytes, long KvTokens, long WorkspaceBytes)
{
    public static ModelMemory Of(MemoryPlan plan) => new(plan.WeightBytes, plan.KvBytes, plan.KvTokens, plan.WorkspaceBytes);
}

/// <summary>The answer of <c>GET /v1/models</c>.</summary>
internal sealed record ModelList(IReadOnlyList<ModelInfo> Data)
{
    [Description("Always list.")]
    public string Object { get; init; } = "list";
}

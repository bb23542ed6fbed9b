namespace Serving.Inference.Checkpoints;

/// <summary>What a tensor is for.</summary>
internal enum TensorRole
{
    Embedding,
    AttentionNorm,
    Query,
    Key,
    Value,
    FusedQueryKeyValue,
    AttentionOutput,
    MlpNorm,
    Up,
    Down,
    FinalNorm,
    Head,

    /// <summary>A buffer that can be computed: rotary frequencies, masks, position ids.</summary>
    Buffer,
}

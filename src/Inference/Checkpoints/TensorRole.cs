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

    /// <summary>The matrix of a map from a token's digits to its code.</summary>
    CodeMatrix,

    /// <summary>What that map adds.</summary>
    CodeOffset,

    /// <summary>A buffer that can be computed: rotary frequencies, masks, position ids.</summary>
    Buffer,
}

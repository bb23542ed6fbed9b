namespace Serving.Inference.Torch;

#pragma warning disable CA1720 // Settings and PyTorch spell them so.

/// <summary>What matrices, keys and values are held and multiplied as. The frozen table, norms, rotary angles, what runs from block to
/// block and logits are float32 in any case.</summary>
public enum Precision
{
    /// <summary>As the checkpoint has its matrices.</summary>
    Stored,

    /// <summary>float32; without the shortened products that some GPUs offer for it.</summary>
    Float32,

    /// <summary>bfloat16.</summary>
    BFloat16,

    /// <summary>IEEE half: more digits than bfloat16, but large activations overflow.</summary>
    Float16,
}

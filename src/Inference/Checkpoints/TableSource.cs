namespace Serving.Inference.Checkpoints;

/// <summary>Where a model's input vectors come from.</summary>
public enum TableSource
{
    /// <summary>A tensor of the checkpoint.</summary>
    Checkpoint,

    /// <summary>A substrate folder, which several models stand on.</summary>
    Substrate,

    /// <summary>The binary digits of the token id; there is no table anywhere.</summary>
    TokenBits,
}

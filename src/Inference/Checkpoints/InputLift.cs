namespace Serving.Inference.Checkpoints;

/// <summary>How an input vector c of fewer values than the model is wide fills its width.</summary>
public enum InputLift
{
    /// <summary>Each value a run of its own: c0 c0 … c1 c1 …, PyTorch's repeat_interleave.</summary>
    Interleaved,

    /// <summary>The whole vector again and again: c0 c1 … c0 c1 …, PyTorch's repeat.</summary>
    Tiled,
}

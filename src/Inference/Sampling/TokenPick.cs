namespace Serving.Inference.Sampling;

/// <summary>How the token of one row of logits is to be picked where the logits are. The default value asks for no pick.</summary>
/// <param name="Options">Temperature and cuts; penalties are not among what is asked here.</param>
/// <param name="Draw">The draw, [0, 1).</param>
public readonly record struct TokenPick(SamplingOptions Options, double Draw)
{
    /// <summary>Whether a pick is asked for, and not the row itself.</summary>
    public bool IsWanted { get; } = true;
}

namespace Serving.Inference.Checkpoints;

/// <summary>Where a tuple or a run of items begins on a pickle's stack.</summary>
internal sealed class PickleMark
{
    public static PickleMark Instance { get; } = new();
}

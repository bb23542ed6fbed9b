namespace Serving.Inference.Cpu;

/// <summary>Work that threads share: items in any order, each taken by whoever is free.</summary>
/// <param name="Items">How many; may be none.</param>
/// <param name="Body">Called with an item and the index of the worker that took it. A delegate made once, so that regions allocate
/// nothing; null = there is no further region.</param>
/// <param name="IsSmall">Too little to share: one thread does all items.</param>
internal readonly record struct Region(int Items, Action<int, int>? Body, bool IsSmall = false)
{
    /// <summary>What follows the last region of a chain.</summary>
    public static Region None => default;
}

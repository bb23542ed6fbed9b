namespace Serving.Inference.Devices;

/// <summary>The memory that a served model takes on its device, told before any of it is taken.</summary>
/// <param name="WeightBytes">Matrices and tables as the device holds them, before other models share any of them.</param>
/// <param name="KvBytes">Keys and values of <paramref name="KvTokens"/> tokens.</param>
/// <param name="KvTokens">Tokens of all running requests together; a single one that needs more is refused.</param>
/// <param name="WorkspaceBytes">Activations of the largest forward pass, and the logits of all rows that may ask for them at once:
/// prompts are scored in slices of so many rows.</param>
public readonly record struct MemoryPlan(long WeightBytes, long KvBytes, long KvTokens, long WorkspaceBytes)
{
    /// <summary>All of it.</summary>
    public long TotalBytes => WeightBytes + KvBytes + WorkspaceBytes;

    /// <summary>What of the weights is in the process's own memory: all, or the table alone where an accelerator has the rest.</summary>
    public long HostWeightBytes { get; init; } = WeightBytes;
}

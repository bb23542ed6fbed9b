namespace Serving.Inference.Devices;

/// <summary>The memory that a served model takes on its device, told before any of it is taken.</summary>
/// <param name="WeightBytes">Matrices and tables as the device holds them, before other models share any of them.</param>
/// <param name="KvBytes">Keys and values of <paramref name="KvTokens"/> tokens.</param>
/// <param name="KvTokens">Tokens of all running requests together; a single one that needs more is refused.</param>
/// <param name="WorkspaceBytes">Activations of the largest forward pass, the angles of all positions, and the logits of all rows that may ask for them at once:
/// prompts are scored in slices of so many rows.</param>
public readonly record struct MemoryPlan(long WeightBytes, long KvBytes, long KvTokens, long WorkspaceBytes)
{
    /// <summary>Keys and values of one request that fills the context, or all there is room for.</summary>
    public long LeastKvBytes { get; init; }

    /// <summary>What it takes to answer one request at a time, however long it is.</summary>
    public long LeastBytes => WeightBytes + LeastKvBytes + WorkspaceBytes;

    /// <summary>What of <see cref="LeastBytes"/> is an accelerator's memory and not the process's own.</summary>
    public long ElsewhereBytes { get; init; }

    /// <summary>All of it.</summary>
    public long TotalBytes => WeightBytes + KvBytes + WorkspaceBytes;
}

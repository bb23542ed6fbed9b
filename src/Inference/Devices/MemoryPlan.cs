namespace Serving.Inference.Devices;

/// <summary>The memory that a served model takes on its device, told before any of it is taken.</summary>
/// <param name="WeightBytes">Matrices and tables as the device holds them, before other models share any of them.</param>
/// <param name="KvBytes">Keys and values of <paramref name="KvTokens"/> tokens, in all members of an ensemble.</param>
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

    /// <summary>The plan of an ensemble of loaded models: each member takes K/V and a workspace of its own beside those that it has
    /// as a model by itself. Weights are the members' own and in memory already.</summary>
    /// <param name="weightBytes">What the members hold together, each shared piece once.</param>
    /// <param name="members">Their plans.</param>
    /// <param name="logitRows">The most rows of logits in a pass.</param>
    /// <param name="vocabularySize">Logits a row.</param>
    public static MemoryPlan OfEnsemble(long weightBytes, IReadOnlyList<MemoryPlan> members, int logitRows, int vocabularySize) => new(
        weightBytes,
        members.Sum(member => member.KvBytes),
        members.Min(member => member.KvTokens),
        members.Sum(member => member.WorkspaceBytes) + ((long)logitRows * vocabularySize * sizeof(float)))
    {
        LeastKvBytes = members.Sum(member => member.LeastKvBytes),
        ElsewhereBytes = members.Where(member => member.ElsewhereBytes > 0).Sum(member => member.LeastKvBytes + member.WorkspaceBytes),
    };
}

namespace Serving.Inference.Ensembles;

/// <summary>The members of an ensemble, checked to fit together: what every way of averaging them shares. It owns their backends.
/// </summary>
internal sealed class EnsembleRoster : IDisposable
{
    /// <param name="members">At least one with a weight above 0. Weights are divided by their sum.</param>
    /// <param name="rule">What is averaged.</param>
    /// <exception cref="ArgumentException">The members do not fit together, or a weight is out of range.</exception>
    public EnsembleRoster(IReadOnlyList<EnsembleMember> members, EnsembleRule rule)
    {
        ArgumentNullException.ThrowIfNull(members);
        All = [.. members];
        Running = [.. members.Where(member => member.Weight != 0)];
        CheckWeights();
        CheckShapes();
        Blend = new Blend(Running.Select(member => member.Weight), rule);
        Shape = new ModelShape(Running[0].Backend.Shape.VocabularySize, Running.Min(member => member.Backend.Shape.ContextTokens));
        Kv = Running[0].Backend.Kv with { Blocks = Running.Min(member => member.Backend.Kv.Blocks) };
    }

    /// <summary>All members.</summary>
    public EnsembleMember[] All { get; }

    /// <summary>Those whose weight is not 0.</summary>
    public EnsembleMember[] Running { get; }

    /// <summary>How they answer where nobody says otherwise.</summary>
    public Blend Blend { get; }

    /// <summary>The members' vocabulary, and the shortest context of those that run.</summary>
    public ModelShape Shape { get; }

    /// <summary>Blocks that every member that runs has.</summary>
    public KvCapacity Kv { get; }

    /// <summary>How a chunk's rows are averaged.</summary>
    /// <exception cref="ArgumentException">Its blend is of another number of experts.</exception>
    public Blend BlendOf(in ForwardBatch.Chunk chunk)
    {
        Blend blend = chunk.Blend ?? Blend;
        return blend.Weights.Length == Running.Length ? blend
            : throw new ArgumentException($"A blend must have {Running.Length} weights, but has {blend.Weights.Length}.", nameof(chunk));
    }

    /// <summary>Disposes the backends of all members.</summary>
    public void Dispose()
    {
        foreach (EnsembleMember member in All)
            member.Backend.Dispose();
    }

    private void CheckWeights()
    {
        foreach (EnsembleMember member in All)
        {
            if (!double.IsFinite(member.Weight) || member.Weight < 0)
                throw new ArgumentException($"A weight must be a finite number of at least 0; that of '{member.Id}' is {member.Weight}.");
        }
        if (Running.Length == 0)
            throw new ArgumentException($"An ensemble needs a member with a weight above 0; none of {All.Length} has one.");
    }

    private void CheckShapes()
    {
        IBackend first = All[0].Backend;
        foreach (EnsembleMember member in All)
        {
            (IBackend other, string id) = (member.Backend, member.Id);
            if (other.Shape.VocabularySize != first.Shape.VocabularySize)
            {
                throw new ArgumentException("Members must have one vocabulary: "
                    + $"'{All[0].Id}' has {first.Shape.VocabularySize} tokens, '{id}' has {other.Shape.VocabularySize}.");
            }
            if (other.Kv.BlockTokens != first.Kv.BlockTokens)
            {
                throw new ArgumentException("Members must have K/V blocks of one size: "
                    + $"those of '{All[0].Id}' hold {first.Kv.BlockTokens} tokens, of '{id}' {other.Kv.BlockTokens}.");
            }
        }
    }
}

using Serving.Inference.Cpu;

namespace Serving.Inference.Ensembles;

/// <summary>
/// Several experts of one vocabulary that answer as one: the weighted mean of their logits, or of their probabilities. They
/// share the scheduler's block table, and each keeps K/V of its own.
/// </summary>
/// <remarks>
/// Like every backend not thread-safe, and a row is the same bits in any batch. An ensemble of one member, of copies of one
/// expert, or with all but one weight 0, answers that expert's bits. Allocates nothing once the largest batch was seen.
/// </remarks>
public sealed class LogitEnsemble : IEnsembleBackend
{
    private readonly EnsembleRoster _roster;
    private readonly EnsembleMember[] _members;
    private readonly SideBySide _together; // the members on this machine's processors
    private readonly RowBlender[] _blenders; // of each thread
    private readonly Action<int, int> _averageRow;
    private readonly float[][] _logits; // of each member: [rows, vocabulary], the largest batch so far
    private MemberFaultException?[] _faults = []; // by row of the last batch
    private Blend[] _blends = []; // by row
    private unsafe float* _means; // the rows that the caller asked for, during a pass

    /// <summary>An ensemble; it owns its members' backends from now on.</summary>
    /// <param name="members">At least one with a weight above 0. Weights are divided by their sum.</param>
    /// <param name="rule">What is averaged.</param>
    /// <exception cref="ArgumentException">The members do not fit together, or a weight is out of range.</exception>
    public LogitEnsemble(IReadOnlyList<EnsembleMember> members, EnsembleRule rule = EnsembleRule.Logits)
        : this(new EnsembleRoster(members, rule))
    {
    }

    /// <summary>An ensemble of members that fit together; it owns their backends from now on.</summary>
    internal LogitEnsemble(EnsembleRoster roster)
    {
        (_roster, _members) = (roster, roster.Running);
        _together = new SideBySide([.. _members.Select(member => member.Backend)]);
        _blenders = [.. Enumerable.Range(0, _together.Pool.Threads).Select(_ => new RowBlender(Shape.VocabularySize, _members.Length))];
        _averageRow = AverageRow;
        _logits = [.. _members.Select(_ => Array.Empty<float>())];
    }

    /// <inheritdoc/>
    public ModelShape Shape => _roster.Shape;

    /// <inheritdoc/>
    public KvCapacity Kv => _roster.Kv;

    /// <summary>The members as one backend: averaged on the device where they all are on one that can, else here.</summary>
    /// <param name="members">As in the constructor.</param>
    /// <param name="rule">What is averaged.</param>
    /// <exception cref="ArgumentException">As in the constructor.</exception>
    public static IEnsembleBackend Of(IReadOnlyList<EnsembleMember> members, EnsembleRule rule = EnsembleRule.Logits)
    {
        var roster = new EnsembleRoster(members, rule);
        return (roster.Running[0].Backend as IJoinableBackend)?.Join(roster) ?? new LogitEnsemble(roster);
    }

    /// <inheritdoc/>
    /// <remarks>A chunk is averaged by its own <see cref="ForwardBatch.Chunk.Blend"/>, or by the members' weights if it has none.
    /// By <see cref="EnsembleRule.Probabilities"/> a row holds log-probabilities plus the logarithm of the first
    /// member's sum of exponentials: the same distribution, and the first member's logits where all agree.</remarks>
    public void Forward(ForwardBatch batch, Span<float> logits)
    {
        ArgumentNullException.ThrowIfNull(batch);
        int vocabulary = Shape.VocabularySize, values = checked(batch.LogitRows * vocabulary);
        ArgumentOutOfRangeException.ThrowIfLessThan(logits.Length, values, nameof(logits));
        NoteBlends(batch);
        foreach (EnsembleMember member in _members)
            (member.Backend as IRemoteBackend)?.Begin(batch);
        Reserve(values);
        // Members of this process compute while the others are on their way.
        _together.Forward(batch, _logits);
        for (int member = 0; member < _members.Length; member++)
        {
            if (_members[member].Backend is not IRemoteBackend && !_together.Has(member))
                _members[member].Backend.Forward(batch, _logits[member].AsSpan(0, values));
        }
        for (int member = 0; member < _members.Length; member++)
            (_members[member].Backend as IRemoteBackend)?.Complete(_logits[member].AsSpan(0, values));
        Average(batch.LogitRows, logits);
    }

    /// <inheritdoc/>
    public Exception? FaultOf(int row) => _faults[row];

    /// <inheritdoc/>
    public ExpertAttribution Attribute(int row, int token, Blend? blend) =>
        _blenders[0].Attribute(_logits, row * Shape.VocabularySize, token, blend ?? _roster.Blend);

    /// <summary>Disposes the backends of all members.</summary>
    public void Dispose() => _roster.Dispose();

    private void Reserve(int values)
    {
        for (int member = 0; member < _members.Length; member++)
        {
            if (_logits[member].Length < values)
                _logits[member] = HugePages.NewArray<float>(values);
        }
    }

    private void NoteBlends(ForwardBatch batch)
    {
        if (_blends.Length < batch.LogitRows)
            (_blends, _faults) = (new Blend[batch.LogitRows], new MemberFaultException?[batch.LogitRows]);
        int row = 0;
        foreach (ref readonly ForwardBatch.Chunk chunk in batch.Chunks)
        {
            _blends.AsSpan(row, chunk.LogitRows).Fill(_roster.BlendOf(chunk));
            row += chunk.LogitRows;
        }
    }

    private unsafe void Average(int rows, Span<float> logits)
    {
        lock (_together.Pool.Gate)
        {
            fixed (float* means = logits)
            {
                _means = means;
                _together.Pool.Run(rows, _averageRow);
            }
        }
    }

    // A member that breaks on one text is a fault of that text's row alone.
    private unsafe void AverageRow(int row, int worker)
    {
        int vocabulary = Shape.VocabularySize, start = row * vocabulary;
        int ill = _blenders[worker].Average(_logits, start, _blends[row], new Span<float>(_means + start, vocabulary));
        _faults[row] = ill < 0 ? null : new MemberFaultException(_members[ill].Id);
    }
}

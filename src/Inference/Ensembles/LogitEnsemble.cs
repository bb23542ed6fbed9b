using Serving.Inference.Cpu;
using Serving.Inference.Sampling;

namespace Serving.Inference.Ensembles;

/// <summary>
/// Several experts of one vocabulary that answer as one: the weighted mean of their logits, or of their probabilities. They
/// share the scheduler's block table, and each keeps K/V of its own.
/// </summary>
/// <remarks>
/// Like every backend not thread-safe, and a row is the same bits in any batch. An ensemble of one member, of copies of one
/// expert, or with all but one weight 0, answers that expert's bits. Allocates nothing once the largest batch was seen.
/// </remarks>
public sealed class LogitEnsemble : IBackend
{
    private readonly EnsembleMember[] _all;
    private readonly EnsembleMember[] _members;
    private readonly Blend _blend;
    private readonly WorkerPool _pool; // the members' own
    private readonly RowBlender[] _blenders; // of each thread
    private readonly Action<int, int> _averageRow;
    private readonly float[][] _logits; // of each member: [rows, vocabulary], the largest batch so far
    private readonly double[] _logSums;
    private MemberFaultException?[] _faults = []; // by row of the last batch
    private Blend[] _blends = []; // by row
    private unsafe float* _means; // the rows that the caller asked for, during a pass

    /// <summary>An ensemble; it owns its members' backends from now on.</summary>
    /// <param name="members">At least one with a weight above 0. Weights are divided by their sum.</param>
    /// <param name="rule">What is averaged.</param>
    /// <exception cref="ArgumentException">The members do not fit together, or a weight is out of range.</exception>
    public LogitEnsemble(IReadOnlyList<EnsembleMember> members, EnsembleRule rule = EnsembleRule.Logits)
    {
        ArgumentNullException.ThrowIfNull(members);
        _all = [.. members];
        _members = [.. members.Where(member => member.Weight != 0)];
        CheckWeights();
        CheckShapes();
        _blend = new Blend(_members.Select(member => member.Weight), rule);
        Shape = new ModelShape(_members[0].Backend.Shape.VocabularySize, _members.Min(member => member.Backend.Shape.ContextTokens));
        Kv = _members[0].Backend.Kv with { Blocks = _members.Min(member => member.Backend.Kv.Blocks) };
        _pool = _members.Select(member => (member.Backend as CpuBackend)?.Pool).FirstOrDefault(pool => pool is not null) ?? WorkerPool.OfSize(1);
        _blenders = [.. Enumerable.Range(0, _pool.Threads).Select(_ => new RowBlender(Shape.VocabularySize, _members.Length))];
        _averageRow = AverageRow;
        _logits = [.. _members.Select(_ => Array.Empty<float>())];
        _logSums = new double[_members.Length];
    }

    /// <summary>The members' vocabulary, and the shortest context of those that run.</summary>
    public ModelShape Shape { get; }

    /// <summary>Blocks that every member that runs has.</summary>
    public KvCapacity Kv { get; }

    /// <inheritdoc/>
    /// <remarks>A chunk is averaged by its own <see cref="ForwardBatch.Chunk.Blend"/>, or by the members' weights if it has none.
    /// By <see cref="EnsembleRule.Probabilities"/> a row holds log-probabilities plus the logarithm of the first
    /// member's sum of exponentials: the same distribution, and the first member's logits wherever all agree.</remarks>
    public void Forward(ForwardBatch batch, Span<float> logits)
    {
        ArgumentNullException.ThrowIfNull(batch);
        int vocabulary = Shape.VocabularySize, values = checked(batch.LogitRows * vocabulary);
        ArgumentOutOfRangeException.ThrowIfLessThan(logits.Length, values, nameof(logits));
        NoteBlends(batch);
        foreach (EnsembleMember member in _members)
            (member.Backend as IRemoteBackend)?.Begin(batch);
        // Members of this process compute while the others are on their way.
        ForwardEach(batch, values, areRemote: false);
        ForwardEach(batch, values, areRemote: true);
        Average(batch.LogitRows, logits);
    }

    /// <inheritdoc/>
    public Exception? FaultOf(int row) => _faults[row];

    /// <summary>What each member that runs thought of a token, in their order.</summary>
    /// <param name="row">A row of the last forward pass, without a fault.</param>
    /// <param name="token">The token that was chosen.</param>
    /// <param name="blend">The weights that chose it; null = the members' own.</param>
    public ExpertAttribution Attribute(int row, int token, Blend? blend)
    {
        int vocabulary = Shape.VocabularySize, start = row * vocabulary;
        var logprobs = new float[_members.Length];
        var choices = new int[_members.Length];
        for (int member = 0; member < _members.Length; member++)
        {
            ReadOnlySpan<float> logits = _logits[member].AsSpan(start, vocabulary);
            _logSums[member] = _blenders[0].LogSum(logits);
            logprobs[member] = (float)(logits[token] - _logSums[member]);
            choices[member] = LogitMath.FirstIndexOf(logits, LogitMath.Max(logits));
        }
        double disagreement = Divergence.JensenShannon(_logits, start, vocabulary, _logSums, (blend ?? _blend).Weights);
        return new ExpertAttribution(logprobs, choices, disagreement);
    }

    /// <summary>Disposes the backends of all members.</summary>
    public void Dispose()
    {
        foreach (EnsembleMember member in _all)
            member.Backend.Dispose();
    }

    private void ForwardEach(ForwardBatch batch, int values, bool areRemote)
    {
        for (int member = 0; member < _members.Length; member++)
        {
            if (_members[member].Backend is IRemoteBackend != areRemote)
                continue;
            if (_logits[member].Length < values)
                _logits[member] = GC.AllocateUninitializedArray<float>(values);
            if (_members[member].Backend is IRemoteBackend begun)
                begun.Complete(_logits[member].AsSpan(0, values));
            else
                _members[member].Backend.Forward(batch, _logits[member].AsSpan(0, values));
        }
    }

    private void NoteBlends(ForwardBatch batch)
    {
        if (_blends.Length < batch.LogitRows)
            (_blends, _faults) = (new Blend[batch.LogitRows], new MemberFaultException?[batch.LogitRows]);
        int row = 0;
        foreach (ref readonly ForwardBatch.Chunk chunk in batch.Chunks)
        {
            Blend blend = chunk.Blend ?? _blend;
            if (blend.Weights.Length != _members.Length)
                throw new ArgumentException($"A blend must have {_members.Length} weights, but has {blend.Weights.Length}.", nameof(batch));
            _blends.AsSpan(row, chunk.LogitRows).Fill(blend);
            row += chunk.LogitRows;
        }
    }

    private unsafe void Average(int rows, Span<float> logits)
    {
        lock (_pool.Gate)
        {
            fixed (float* means = logits)
            {
                _means = means;
                _pool.Run(rows, _averageRow);
            }
        }
    }

    // A member that breaks on one text is a fault of that text's row alone.
    private unsafe void AverageRow(int row, int worker)
    {
        int vocabulary = Shape.VocabularySize, start = row * vocabulary;
        _faults[row] = null;
        for (int member = 0; member < _members.Length; member++)
        {
            if (LogitAverage.IsFinite(_logits[member].AsSpan(start, vocabulary)))
                continue;
            _faults[row] = new MemberFaultException(_members[member].Id);
            return;
        }
        _blenders[worker].Average(_logits, start, _blends[row], new Span<float>(_means + start, vocabulary));
    }

    private void CheckWeights()
    {
        foreach (EnsembleMember member in _all)
        {
            if (!double.IsFinite(member.Weight) || member.Weight < 0)
                throw new ArgumentException($"A weight must be a finite number of at least 0; that of '{member.Id}' is {member.Weight}.");
        }
        if (_members.Length == 0)
            throw new ArgumentException($"An ensemble needs a member with a weight above 0; none of {_all.Length} has one.");
    }

    private void CheckShapes()
    {
        IBackend first = _all[0].Backend;
        foreach (EnsembleMember member in _all)
        {
            (IBackend other, string id) = (member.Backend, member.Id);
            if (other.Shape.VocabularySize != first.Shape.VocabularySize)
            {
                throw new ArgumentException("Members must have one vocabulary: "
                    + $"'{_all[0].Id}' has {first.Shape.VocabularySize} tokens, '{id}' has {other.Shape.VocabularySize}.");
            }
            if (other.Kv.BlockTokens != first.Kv.BlockTokens)
            {
                throw new ArgumentException("Members must have K/V blocks of one size: "
                    + $"those of '{_all[0].Id}' hold {first.Kv.BlockTokens} tokens, of '{id}' {other.Kv.BlockTokens}.");
            }
        }
    }
}

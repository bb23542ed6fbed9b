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
    private readonly double[] _weights; // of _members; they sum to 1
    private readonly EnsembleRule _rule;
    private readonly float[][] _logits; // of each member: [rows, vocabulary], the largest batch so far
    private readonly float[] _exponentials; // [vocabulary]
    private readonly double[] _blockSums;
    private readonly double[] _logSums;

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
        double sum = _members.Sum(member => member.Weight);
        _weights = [.. _members.Select(member => member.Weight / sum)];
        _rule = rule;
        Shape = new ModelShape(_members[0].Backend.Shape.VocabularySize, _members.Min(member => member.Backend.Shape.ContextTokens));
        Kv = _members[0].Backend.Kv with { Blocks = _members.Min(member => member.Backend.Kv.Blocks) };
        _logits = [.. _members.Select(_ => Array.Empty<float>())];
        _exponentials = new float[Shape.VocabularySize];
        _blockSums = new double[(Shape.VocabularySize + LogitMath.BlockLogits - 1) / LogitMath.BlockLogits];
        _logSums = new double[_members.Length];
    }

    /// <summary>The members' vocabulary, and the shortest context of those that run.</summary>
    public ModelShape Shape { get; }

    /// <summary>Blocks that every member that runs has.</summary>
    public KvCapacity Kv { get; }

    /// <inheritdoc/>
    /// <remarks>With <see cref="EnsembleRule.Probabilities"/> a row holds log-probabilities plus the logarithm of the first
    /// member's sum of exponentials: the same distribution, and the first member's logits wherever all agree.</remarks>
    /// <exception cref="MemberFaultException">A member answered a logit that is not finite.</exception>
    public void Forward(ForwardBatch batch, Span<float> logits)
    {
        ArgumentNullException.ThrowIfNull(batch);
        int values = checked(batch.LogitRows * Shape.VocabularySize);
        ArgumentOutOfRangeException.ThrowIfLessThan(logits.Length, values, nameof(logits));
        logits = logits[..values];
        if (_members.Length == 1)
        {
            Forward(0, batch, logits);
            return;
        }
        foreach (EnsembleMember member in _members)
            (member.Backend as IRemoteBackend)?.Begin(batch);
        // Members of this process compute while the others are on their way.
        ForwardEach(batch, values, areRemote: false);
        ForwardEach(batch, values, areRemote: true);
        if (_rule == EnsembleRule.Logits)
            AverageLogits(logits);
        else
            AverageProbabilities(logits);
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
            Forward(member, batch, _logits[member].AsSpan(0, values));
        }
    }

    private void Forward(int member, ForwardBatch batch, Span<float> logits)
    {
        if (_members.Length > 1 && _members[member].Backend is IRemoteBackend begun)
            begun.Complete(logits);
        else
            _members[member].Backend.Forward(batch, logits);
        if (!LogitAverage.IsFinite(logits))
            throw new MemberFaultException(_members[member].Id);
    }

    private void AverageLogits(Span<float> logits)
    {
        ReadOnlySpan<float> first = _logits[0].AsSpan(0, logits.Length);
        first.CopyTo(logits);
        for (int member = 1; member < _members.Length; member++)
            LogitAverage.AddDeviation(logits, first, _logits[member].AsSpan(0, logits.Length), (float)_weights[member]);
    }

    private void AverageProbabilities(Span<float> logits)
    {
        int vocabulary = Shape.VocabularySize;
        for (int row = 0; row < logits.Length; row += vocabulary)
        {
            for (int member = 0; member < _members.Length; member++)
                _logSums[member] = LogitAverage.LogSum(_logits[member].AsSpan(row, vocabulary), _exponentials, _blockSums);
            LogitAverage.LogMean(_logits, row, _logSums, _weights, logits.Slice(row, vocabulary));
        }
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

using Serving.Inference.Ensembles;
using Serving.Inference.Sampling;
using Serving.Inference.Speculation;

namespace Serving.Inference.Scheduling;

/// <summary>The engine without its thread: takes generations, computes steps, sends events.</summary>
/// <remarks>Owned by one thread. A decode step allocates nothing but the events that it sends.</remarks>
internal sealed class EngineLoop
{
    private readonly IBackend _backend;
    private readonly LogitEnsemble? _ensemble; // the backend, if it is one
    private readonly EngineOptions _options;
    private readonly Scheduler _scheduler;
    private readonly Sampler _sampler;
    private readonly Speculator? _speculator;
    private readonly GuessingPace? _pace; // where there is a speculator
    private readonly LogSoftmax _logSoftmax;
    private readonly LogitAdjuster _adjuster;
    private readonly ForwardBatch _batch = new();
    private readonly ForwardBatch _single = new();
    private readonly float[] _logits; // [LogitRows, vocabulary]
    private readonly int _vocabulary;

    /// <summary>A loop over a backend's empty blocks.</summary>
    /// <param name="backend">The model.</param>
    /// <param name="options">Budgets.</param>
    /// <param name="time">The clock that tells whether guessing pays; null = the system's.</param>
    public EngineLoop(IBackend backend, EngineOptions options, TimeProvider? time = null)
    {
        (_backend, _ensemble) = (backend, backend as LogitEnsemble);
        _options = options;
        _vocabulary = backend.Shape.VocabularySize;
        _scheduler = new Scheduler(options, backend.Kv);
        _sampler = new Sampler(_vocabulary);
        _logSoftmax = new LogSoftmax(_vocabulary);
        _adjuster = new LogitAdjuster(_vocabulary, options.EndOfTextIds);
        _logits = GC.AllocateUninitializedArray<float>(checked(options.LogitRows * _vocabulary));
        ContextTokens = ContextOf(backend);
        if (options.Speculation is not { } speculation) return;
        _pace = new GuessingPace(time ?? TimeProvider.System);
        _speculator = new Speculator(speculation, _scheduler, backend, _sampler, options.LogitRows, ContextTokens);
    }

    /// <summary>The longest sequence: the model's context, or less if all K/V blocks hold less.</summary>
    public int ContextTokens { get; }

    /// <summary>Called while a forward pass gets on.</summary>
    public Action? Beat
    {
        set => _batch.Beat = _single.Beat = value;
    }

    /// <summary>Queues and blocks.</summary>
    public Scheduler Scheduler => _scheduler;

    /// <summary>Whether a step has anything to do.</summary>
    public bool HasWork => _scheduler.HasWork;

    /// <summary>Forward passes so far.</summary>
    public long Steps { get; private set; }

    /// <summary>Tokens that went through the model.</summary>
    public long ComputedTokens { get; private set; }

    /// <summary>Prompt tokens of the generations that started.</summary>
    public long PromptTokens { get; private set; }

    /// <summary>Prompt tokens of these that came from the prefix cache.</summary>
    public long CachedPromptTokens { get; private set; }

    /// <summary>Tokens generated.</summary>
    public long GeneratedTokens { get; private set; }

    /// <summary>Tokens that were guessed ahead and verified.</summary>
    public long DraftedTokens { get; private set; }

    /// <summary>Guesses that were right.</summary>
    public long AcceptedTokens { get; private set; }

    /// <summary>Tokens whose experts were asked what they thought of it.</summary>
    public long AttributedTokens { get; private set; }

    /// <summary>The sum of the experts' disagreement on these, in nats.</summary>
    public double Disagreement { get; private set; }

    /// <summary>The longest sequence that a backend can hold: its context, or less if all its K/V blocks hold less.</summary>
    public static int ContextOf(IBackend backend) =>
        (int)Math.Min(backend.Shape.ContextTokens, (long)backend.Kv.Blocks * backend.Kv.BlockTokens);

    /// <summary>Takes a generation, unless it is over already.</summary>
    public void Accept(Generation generation)
    {
        if (generation.State == SequenceState.Finished) return;
        if (generation is { Scores: true, PromptTokens: 1 }) generation.SendScores();
        if (generation.Target > 0) _scheduler.Enqueue(generation);
        else Finish(generation, FinishReason.Length);
    }

    /// <summary>Ends a generation, in whatever state, without its caller's listening; its blocks are free at once.</summary>
    public void Abort(Generation generation, FinishReason reason, Exception? error = null)
    {
        if (generation.State == SequenceState.Finished) return;
        _scheduler.Remove(generation);
        generation.Break(reason, error);
    }

    /// <summary>Chooses what the next pass computes; <see cref="HasWork"/> must hold.</summary>
    /// <returns>Whether there is a pass to compute; not when all that runs waits for listeners that lag.</returns>
    public bool Plan()
    {
        Guess();
        if (!HasWork) return false;
        _scheduler.Fill(_batch);
        if (_scheduler.Scheduled.IsEmpty && _scheduler.IsHeldUp) return false;
        if (_scheduler.Scheduled.IsEmpty)
            throw new InvalidOperationException("The scheduler has work but chose none: a sequence fits no budget.");
        NoteStarts();
        return true;
    }

    /// <summary>Runs the planned pass and what follows from it. A fault ends the requests that it is of, and no others.</summary>
    public void Compute()
    {
        Steps++;
        Span<float> logits = _logits.AsSpan(0, _batch.LogitRows * _vocabulary);
        try
        {
            _backend.Forward(_batch, logits);
        }
        catch (Exception fault)
        {
            Isolate(fault);
            return;
        }
        int row = 0;
        long generated = GeneratedTokens;
        foreach (ScheduledChunk chunk in _scheduler.Scheduled)
        {
            Use(chunk, logits.Slice(row * _vocabulary, chunk.LogitRows * _vocabulary), row);
            row += chunk.LogitRows;
        }
        if (_pace is not null && IsDecoding()) _pace.End((double)(GeneratedTokens - generated) / _scheduler.Scheduled.Length);
    }

    // Steps with prompts in them tell nothing of guessing.
    private bool IsDecoding()
    {
        foreach (ScheduledChunk chunk in _scheduler.Scheduled)
            if (chunk is { IsDraft: false, Length: > 1 }) return false;
        return true;
    }

    /// <summary>Computes a pass that failed once more, sequence by sequence, so that only those at fault end. The others cannot tell:
    /// a row is the same bits in any batch. What nobody can compute is not tried again.</summary>
    private void Isolate(Exception fault)
    {
        ReadOnlySpan<ScheduledChunk> chunks = _scheduler.Scheduled;
        bool isHopeless = chunks.Length == 1 || fault is BackendUnavailableException;
        foreach (ScheduledChunk chunk in chunks)
        {
            if (isHopeless) Abort((Generation)chunk.Sequence, FinishReason.Error, fault);
            else ComputeAlone(chunk);
        }
    }

    private void ComputeAlone(ScheduledChunk chunk)
    {
        Sequence sequence = chunk.Sequence;
        if (chunk.IsDraft) chunk = new ScheduledChunk(sequence, Length: 1, LogitRows: 1); // without the guesses
        Span<float> logits = _logits.AsSpan(0, chunk.LogitRows * _vocabulary);
        _single.Clear();
        _single.Add(sequence.Tokens.Slice(sequence.Computed, chunk.Length), sequence.Computed, sequence.Blocks, chunk.LogitRows,
            sequence.HiddenSum, sequence.Request.Blend);
        try
        {
            _backend.Forward(_single, logits);
        }
        catch (Exception fault)
        {
            Abort((Generation)sequence, FinishReason.Error, fault);
            return;
        }
        Use(chunk, logits, row: 0);
    }

    private void Guess()
    {
        try
        {
            _pace?.Begin();
            _speculator?.Draft(_pace!.Guesses);
        }
        catch (Exception fault)
        {
            foreach (Sequence sequence in _speculator!.Sequences) Abort((Generation)sequence, FinishReason.Error, fault);
        }
    }

    private void NoteStarts()
    {
        foreach (ScheduledChunk chunk in _scheduler.Scheduled)
        {
            Generation generation = (Generation)chunk.Sequence;
            if (!generation.Start()) continue;
            PromptTokens += generation.PromptTokens;
            CachedPromptTokens += generation.CachedTokens ?? 0;
        }
    }

    private void Use(in ScheduledChunk chunk, ReadOnlySpan<float> logits, int row)
    {
        Generation generation = (Generation)chunk.Sequence;
        try
        {
            ComputedTokens += chunk.Length;
            if (chunk.IsDraft) Verify(generation, logits, row);
            else
            {
                _scheduler.Commit(generation, chunk.Length);
                Advance(generation, logits, row);
            }
        }
        catch (Exception fault)
        {
            Abort(generation, FinishReason.Error, fault);
        }
    }

    /// <summary>Uses a chunk's rows: those of unscored prompt positions, and the one that the next token comes from.</summary>
    private void Advance(Generation generation, ReadOnlySpan<float> rows, int index)
    {
        int position = generation.Computed - (rows.Length / _vocabulary);
        for (; rows.Length > 0; rows = rows[_vocabulary..], position++, index++)
        {
            if (_backend.FaultOf(index) is { } fault) throw fault;
            ReadOnlySpan<float> row = rows[.._vocabulary];
            if (position < generation.PromptTokens - 1) Score(generation, row, position);
            else Generate(generation, row, index);
        }
        if (generation.Request.MaxTokens > 0 || generation.Computed < generation.Target) return;
        if (generation.HiddenSum is not null) generation.SendMean();
        Finish(generation, FinishReason.Length);
    }

    /// <summary>Picks from the row of the last token, and from those of the guesses as long as they were right.</summary>
    private void Verify(Generation generation, ReadOnlySpan<float> rows, int index)
    {
        int guesses = (rows.Length / _vocabulary) - 1, accepted = 0;
        DraftedTokens += guesses;
        while (true)
        {
            _scheduler.Commit(generation, 1);
            if (_backend.FaultOf(index + accepted) is { } fault) throw fault;
            Generate(generation, rows.Slice(accepted * _vocabulary, _vocabulary), index + accepted);
            bool isOver = generation.State == SequenceState.Finished || accepted == guesses;
            if (isOver || generation.Tokens[^1] != generation.Draft[accepted]) break;
            accepted++;
        }
        AcceptedTokens += accepted;
        generation.Guesses = (generation.Guesses.Drafted + guesses, generation.Guesses.Accepted + accepted);
    }

    private void Score(Generation generation, ReadOnlySpan<float> row, int position)
    {
        _logSoftmax.Read(row);
        float logprob = _logSoftmax.Of(row[generation.Tokens[position + 1]]);
        generation.Score(logprob, _logSoftmax.Top(row, generation.Request.PromptLogprobs ?? 0));
    }

    private void Generate(Generation generation, ReadOnlySpan<float> row, int index)
    {
        GenerationRequest request = generation.Request;
        ReadOnlySpan<float> adjusted = _adjuster.Adjust(row, request, generation.Tokens);
        int token = _sampler.Sample(adjusted, request.Sampling, generation.GeneratedTokens);
        (float? logprob, TokenLogprob[]? top) = (null, null);
        if (request.Logprobs is { } alternatives)
        {
            _logSoftmax.Read(row);
            logprob = _logSoftmax.Of(row[token]);
            top = _logSoftmax.Top(row, alternatives);
        }
        ExpertAttribution? experts = request.ExpertLogprobs ? Attribute(request, index, token) : null;
        GeneratedTokens++;
        if (generation.Take(token, EndsText(request, token), logprob, top, experts)) Finish(generation, FinishReason.Stop);
        else if (generation.GeneratedTokens >= request.MaxTokens || generation.Tokens.Length >= ContextTokens)
            Finish(generation, FinishReason.Length);
    }

    private ExpertAttribution? Attribute(GenerationRequest request, int row, int token)
    {
        if (_ensemble?.Attribute(row, token, request.Blend) is not { } attribution) return null;
        AttributedTokens++;
        Disagreement += attribution.Disagreement;
        return attribution;
    }

    private bool EndsText(GenerationRequest request, int token) =>
        (!request.IgnoreEndOfText && Contains(_options.EndOfTextIds, token)) || Contains(request.StopTokenIds, token);

    private void Finish(Generation generation, FinishReason reason)
    {
        _scheduler.Remove(generation);
        generation.Finish(reason);
    }

    private static bool Contains(IReadOnlyList<int> ids, int token)
    {
        for (int i = 0; i < ids.Count; i++)
            if (ids[i] == token) return true;
        return false;
    }
}

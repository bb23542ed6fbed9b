using Serving.Inference.Sampling;

namespace Serving.Inference.Scheduling;

/// <summary>The engine without its thread: takes generations, computes steps, sends events.</summary>
/// <remarks>Owned by one thread. A decode step allocates nothing but the events that it sends.</remarks>
internal sealed class EngineLoop
{
    private readonly IBackend _backend;
    private readonly EngineOptions _options;
    private readonly Scheduler _scheduler;
    private readonly Sampler _sampler;
    private readonly LogSoftmax _logSoftmax;
    private readonly LogitAdjuster _adjuster;
    private readonly ForwardBatch _batch = new();
    private readonly ForwardBatch _single = new();
    private readonly float[] _logits; // [LogitRows, vocabulary]
    private readonly int _vocabulary;

    /// <summary>A loop over a backend's empty blocks.</summary>
    public EngineLoop(IBackend backend, EngineOptions options)
    {
        _backend = backend;
        _options = options;
        _vocabulary = backend.Shape.VocabularySize;
        _scheduler = new Scheduler(options, backend.Kv);
        _sampler = new Sampler(_vocabulary);
        _logSoftmax = new LogSoftmax(_vocabulary);
        _adjuster = new LogitAdjuster(_vocabulary, options.EndOfTextIds);
        _logits = GC.AllocateUninitializedArray<float>(checked(options.LogitRows * _vocabulary));
        ContextTokens = ContextOf(backend);
    }

    /// <summary>The longest sequence: the model's context, or less if all K/V blocks hold less.</summary>
    public int ContextTokens { get; }

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
    public void Plan()
    {
        _scheduler.Fill(_batch);
        if (_scheduler.Scheduled.IsEmpty)
            throw new InvalidOperationException("The scheduler has work but chose none: a sequence fits no budget.");
        NoteStarts();
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
        foreach (ScheduledChunk chunk in _scheduler.Scheduled)
        {
            int length = chunk.LogitRows * _vocabulary;
            Use(chunk, logits[..length]);
            logits = logits[length..];
        }
    }

    /// <summary>Computes a pass that failed once more, sequence by sequence, so that only those at fault end. The others cannot tell:
    /// a row is the same bits in any batch. What nobody can compute is not tried again.</summary>
    private void Isolate(Exception fault)
    {
        ReadOnlySpan<ScheduledChunk> chunks = _scheduler.Scheduled;
        bool isHopeless = chunks.Length == 1 || fault is BackendUnavailableException;
        foreach (ScheduledChunk chunk in chunks)
        {
            // A sum of hidden states may have taken something of the pass that failed.
            if (isHopeless || chunk.Sequence.HiddenSum is not null) Abort((Generation)chunk.Sequence, FinishReason.Error, fault);
            else ComputeAlone(chunk);
        }
    }

    private void ComputeAlone(in ScheduledChunk chunk)
    {
        Sequence sequence = chunk.Sequence;
        Span<float> logits = _logits.AsSpan(0, chunk.LogitRows * _vocabulary);
        _single.Clear();
        _single.Add(sequence.Tokens.Slice(sequence.Computed, chunk.Length), sequence.Computed, sequence.Blocks, chunk.LogitRows);
        try
        {
            _backend.Forward(_single, logits);
        }
        catch (Exception fault)
        {
            Abort((Generation)sequence, FinishReason.Error, fault);
            return;
        }
        Use(chunk, logits);
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

    private void Use(in ScheduledChunk chunk, ReadOnlySpan<float> logits)
    {
        Generation generation = (Generation)chunk.Sequence;
        try
        {
            _scheduler.Commit(chunk);
            ComputedTokens += chunk.Length;
            Advance(generation, logits);
        }
        catch (Exception fault)
        {
            Abort(generation, FinishReason.Error, fault);
        }
    }

    /// <summary>Uses a chunk's rows: those of unscored prompt positions, and the one that the next token comes from.</summary>
    private void Advance(Generation generation, ReadOnlySpan<float> rows)
    {
        int position = generation.Computed - (rows.Length / _vocabulary);
        for (; rows.Length > 0; rows = rows[_vocabulary..], position++)
        {
            ReadOnlySpan<float> row = rows[.._vocabulary];
            if (position < generation.PromptTokens - 1) Score(generation, row, position);
            else Generate(generation, row);
        }
        if (generation.Request.MaxTokens > 0 || generation.Computed < generation.Target) return;
        if (generation.HiddenSum is not null) generation.SendMean();
        Finish(generation, FinishReason.Length);
    }

    private void Score(Generation generation, ReadOnlySpan<float> row, int position)
    {
        _logSoftmax.Read(row);
        float logprob = _logSoftmax.Of(row[generation.Tokens[position + 1]]);
        generation.Score(logprob, _logSoftmax.Top(row, generation.Request.PromptLogprobs ?? 0));
    }

    private void Generate(Generation generation, ReadOnlySpan<float> row)
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
        GeneratedTokens++;
        if (generation.Take(token, EndsText(request, token), logprob, top)) Finish(generation, FinishReason.Stop);
        else if (generation.GeneratedTokens >= request.MaxTokens || generation.Tokens.Length >= ContextTokens)
            Finish(generation, FinishReason.Length);
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

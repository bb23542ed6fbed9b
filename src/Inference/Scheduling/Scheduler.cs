using System.Runtime.InteropServices;

namespace Serving.Inference.Scheduling;

/// <summary>
/// Decides what the next step computes: one token for every sequence that is generating, then prompts in chunks, then
/// sequences from the queue, oldest (or whose turn it is) first, as far as tokens, logit rows and blocks suffice.
/// </summary>
/// <remarks>
/// Bookkeeping only; owned by one thread. When blocks run out the youngest running sequence gives its own back, returns to
/// the head of the queue and is later recomputed; so every running sequence is older than every waiting one, and the
/// oldest always advances.
/// </remarks>
internal sealed class Scheduler
{
    private readonly EngineOptions _options;
    private readonly KvBlockPool _pool;
    private readonly int _blockTokens;
    private readonly LinkedList<Sequence> _waiting = [];
    private readonly FairOrder _order = new();
    private readonly LinkedList<Sequence> _running = [];
    private readonly List<ScheduledChunk> _scheduled = [];
    private readonly List<int> _guessed = [];
    private int _tokensLeft;
    private int _rowsLeft;

    /// <summary>A scheduler over empty blocks.</summary>
    public Scheduler(EngineOptions options, KvCapacity kv)
    {
        _options = options;
        _pool = new KvBlockPool(kv, options.ReusePrefixes);
        _blockTokens = kv.BlockTokens;
    }

    /// <summary>The blocks.</summary>
    public KvBlockPool Pool => _pool;

    /// <summary>Whether a step has anything to do.</summary>
    public bool HasWork => _running.Count + _waiting.Count > 0;

    /// <summary>Sequences that hold blocks.</summary>
    public int RunningSequences => _running.Count;

    /// <summary>Sequences in the queue.</summary>
    public int WaitingSequences => _waiting.Count;

    /// <summary>Tokens of the sequences in the queue.</summary>
    public long WaitingTokens { get; private set; }

    /// <summary>How often a sequence lost its blocks.</summary>
    public long Preemptions { get; private set; }

    /// <summary>Tokens looked up in the prefix cache.</summary>
    public long PrefixQueryTokens { get; private set; }

    /// <summary>Tokens found there.</summary>
    public long PrefixHitTokens { get; private set; }

    /// <summary>Whether <see cref="Fill"/> left sequences out because their listeners lag.</summary>
    public bool IsHeldUp { get; private set; }

    /// <summary>What <see cref="Fill"/> chose, in the batch's order.</summary>
    public ReadOnlySpan<ScheduledChunk> Scheduled => CollectionsMarshal.AsSpan(_scheduled);

    /// <summary>Puts a new sequence in the queue: behind all of its own caller's, and so that callers take turns.</summary>
    /// <param name="sequence">Its <see cref="Sequence.Target"/> is at least 1 and all its tokens will fit the pool.</param>
    public void Enqueue(Sequence sequence)
    {
        sequence.Turn = _order.Enter(sequence.Request.CacheScope, sequence.PromptTokens + (long)sequence.Request.MaxTokens);
        LinkedListNode<Sequence>? before = _waiting.Last;
        while (before is not null && before.Value.Turn > sequence.Turn) before = before.Previous;
        if (before is null) _waiting.AddFirst(sequence.Node);
        else _waiting.AddAfter(before, sequence.Node);
        Wait(sequence);
    }

    /// <summary>Chooses the next step and writes it into <paramref name="batch"/>; at least one chunk if there is work, unless
    /// <see cref="IsHeldUp"/>.</summary>
    public void Fill(ForwardBatch batch)
    {
        batch.Clear();
        _scheduled.Clear();
        IsHeldUp = false;
        (_tokensLeft, _rowsLeft) = (_options.TokenBudget, _options.LogitRows);
        ScheduleLastTokens(batch);
        SchedulePrompts(batch);
        AdmitWaiting(batch);
    }

    /// <summary>Adds the running sequences whose next token comes from their last one.</summary>
    public void CollectGenerating(List<Sequence> sequences)
    {
        for (LinkedListNode<Sequence>? node = _running.First; node is not null; node = node.Next)
            if (node.Value.Target - node.Value.Computed == 1 && !node.Value.IsHeldUp) sequences.Add(node.Value);
    }

    /// <summary>Makes room for tokens behind a running sequence's last, if that is at nobody's expense.</summary>
    /// <returns>How many have room: all or none.</returns>
    public int Reserve(Sequence sequence, int tokens)
    {
        if (tokens <= 0) return 0;
        int missing = BlocksFor(sequence.Target + tokens) - sequence.Blocks.Count;
        bool isFree = missing <= 0 || (missing + _running.Count <= _pool.Available && _pool.TryExtend(sequence.Blocks, missing));
        return isFree ? tokens : 0;
    }

    /// <summary>Records that K/V of a sequence's next tokens was computed, and makes its full blocks known to later prompts.</summary>
    public void Commit(Sequence sequence, int tokensComputed)
    {
        sequence.Computed += tokensComputed;
        while ((sequence.RegisteredBlocks + 1) * _blockTokens <= sequence.Computed)
        {
            int index = sequence.RegisteredBlocks++;
            ReadOnlySpan<int> tokens = sequence.Tokens.Slice(index * _blockTokens, _blockTokens);
            sequence.Link = _pool.Register(sequence.Blocks[index], tokens, sequence.Link);
        }
    }

    /// <summary>Ends a sequence in whatever state it is; its blocks return to the pool.</summary>
    public void Remove(Sequence sequence)
    {
        if (sequence.State == SequenceState.Waiting) LeaveQueue(sequence);
        else if (sequence.State == SequenceState.Running) LeaveSteps(sequence);
        sequence.State = SequenceState.Finished;
    }

    /// <summary>The sequences that are not finished, oldest first.</summary>
    public IEnumerable<Sequence> All => _running.Concat(_waiting);

    /// <summary>Recounts blocks and queues; for tests.</summary>
    /// <exception cref="InvalidOperationException">An invariant does not hold.</exception>
    public void Check()
    {
        _pool.Check();
        int[] references = new int[_pool.Total];
        foreach (Sequence sequence in _running)
            foreach (int block in sequence.Blocks) references[block]++;
        bool sound = Enumerable.Range(0, _pool.Total).All(block => _pool.References(block) == references[block])
            && _running.All(sequence => sequence.State == SequenceState.Running
                && sequence.Blocks.Count * _blockTokens >= sequence.Computed)
            && _waiting.All(sequence => sequence.State == SequenceState.Waiting && sequence.Blocks.Count == 0)
            && WaitingTokens == _waiting.Sum(sequence => (long)sequence.Tokens.Length);
        if (!sound) throw new InvalidOperationException("A block table, a queue and the pool disagree.");
    }

    private void ScheduleLastTokens(ForwardBatch batch)
    {
        for (LinkedListNode<Sequence>? node = _running.First; node is not null; node = node.Next)
        {
            if (_tokensLeft == 0 || _rowsLeft == 0) return;
            if (node.Value.Target - node.Value.Computed != 1 || HoldsUp(node.Value)) continue;
            if (!EnsureBlocks(node.Value)) return; // it was the youngest and is waiting now
            if (HasRoomForDraft(node.Value)) ScheduleDraft(batch, node.Value);
            else Schedule(batch, node.Value);
        }
    }

    private bool HoldsUp(Sequence sequence)
    {
        IsHeldUp |= sequence.IsHeldUp;
        return sequence.IsHeldUp;
    }

    private bool HasRoomForDraft(Sequence sequence)
    {
        int guesses = sequence.Draft.Count;
        return guesses > 0 && guesses < _tokensLeft && guesses < _rowsLeft
            && BlocksFor(sequence.Target + guesses) <= sequence.Blocks.Count;
    }

    /// <summary>The last token and the guesses behind it, a row of logits for each.</summary>
    private void ScheduleDraft(ForwardBatch batch, Sequence sequence)
    {
        _guessed.Clear();
        _guessed.Add(sequence.Tokens[^1]);
        _guessed.AddRange(sequence.Draft);
        int length = _guessed.Count;
        batch.Add(CollectionsMarshal.AsSpan(_guessed), sequence.Computed, sequence.Blocks, length,
            hiddenSum: null, sequence.Request.Blend, _options.DraftsByDepth);
        _scheduled.Add(new ScheduledChunk(sequence, length, length, IsDraft: true));
        _tokensLeft -= length;
        _rowsLeft -= length;
    }

    private void SchedulePrompts(ForwardBatch batch)
    {
        for (LinkedListNode<Sequence>? node = _running.First; node is not null && _tokensLeft > 0; node = node.Next)
            if (node.Value.Target - node.Value.Computed > 1) Schedule(batch, node.Value);
    }

    private void AdmitWaiting(ForwardBatch batch)
    {
        while (_tokensLeft > 0 && _running.Count < _options.MaxRunning && _waiting.First is { Value: Sequence sequence })
        {
            if (!TryAdmit(sequence)) return;
            Schedule(batch, sequence);
        }
    }

    /// <summary>Gives a waiting sequence blocks for all its tokens, cached ones first, and leaves one spare block for each
    /// running sequence to grow into. Positions whose logits are wanted never come from the cache.</summary>
    private bool TryAdmit(Sequence sequence)
    {
        ulong link = KvBlockPool.Root(sequence.Request.CacheScope);
        int cached = _pool.Match(sequence.Tokens[..sequence.ReusableTokens], sequence.Blocks, ref link);
        int missing = BlocksFor(sequence.Target) - sequence.Blocks.Count;
        if (missing + _running.Count > _pool.Available || !_pool.TryExtend(sequence.Blocks, missing))
        {
            _pool.Release(sequence.Blocks);
            return false;
        }
        LeaveQueue(sequence);
        _order.Admit(sequence.Turn);
        _running.AddLast(sequence.Node);
        sequence.State = SequenceState.Running;
        sequence.Computed = cached;
        sequence.RegisteredBlocks = cached / _blockTokens;
        sequence.Link = link;
        sequence.CachedTokens ??= cached;
        PrefixQueryTokens += sequence.Target;
        PrefixHitTokens += cached;
        return true;
    }

    /// <summary>Makes room for the sequence's last token, at the expense of the youngest if need be.</summary>
    /// <returns>False when the youngest was this sequence itself.</returns>
    private bool EnsureBlocks(Sequence sequence)
    {
        int missing = BlocksFor(sequence.Target) - sequence.Blocks.Count;
        while (!_pool.TryExtend(sequence.Blocks, Math.Max(missing, 0)))
        {
            Sequence youngest = _running.Last!.Value;
            Preempt(youngest);
            if (youngest == sequence) return false;
        }
        return true;
    }

    private void Schedule(ForwardBatch batch, Sequence sequence)
    {
        int length = Math.Min(sequence.Target - sequence.Computed, _tokensLeft);
        int firstRow = Math.Max(sequence.FirstRow, sequence.Computed);
        int end = Math.Min(sequence.Computed + length, firstRow + _rowsLeft);
        length = end - sequence.Computed;
        if (length == 0) return;
        int rows = Math.Max(end - firstRow, 0);
        batch.Add(sequence.Tokens.Slice(sequence.Computed, length), sequence.Computed, sequence.Blocks, rows, sequence.HiddenSum,
            sequence.Request.Blend);
        _scheduled.Add(new ScheduledChunk(sequence, length, rows));
        _tokensLeft -= length;
        _rowsLeft -= rows;
    }

    private void Preempt(Sequence sequence)
    {
        LeaveSteps(sequence);
        _waiting.AddFirst(sequence.Node);
        Wait(sequence);
        Preemptions++;
    }

    private void Wait(Sequence sequence)
    {
        sequence.State = SequenceState.Waiting;
        WaitingTokens += sequence.Tokens.Length;
    }

    private void LeaveQueue(Sequence sequence)
    {
        _waiting.Remove(sequence.Node);
        WaitingTokens -= sequence.Tokens.Length;
    }

    private void LeaveSteps(Sequence sequence)
    {
        _running.Remove(sequence.Node);
        _pool.Release(sequence.Blocks);
        sequence.Draft.Clear();
        sequence.Computed = 0;
    }

    private int BlocksFor(int tokens) => (tokens + _blockTokens - 1) / _blockTokens;
}

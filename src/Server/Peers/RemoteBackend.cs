using System.Collections.Concurrent;
using System.Diagnostics;
using Polly;
using Polly.CircuitBreaker;
using Polly.Hedging;
using Polly.Retry;
using Polly.Timeout;
using Serving.Inference;

namespace Serving.Server.Peers;

/// <summary>
/// A model that other servers compute. Its K/V stands at whichever replica answered last; one that does not hold what a step needs gets
/// it replayed from tokens. A replica that is slow is overtaken by another, and one that fails is replaced.
/// </summary>
/// <remarks>Like every backend not thread-safe.</remarks>
internal sealed class RemoteBackend : IRemoteBackend
{
    private static readonly ResiliencePropertyKey<int> AttemptKey = new("attempt");
    private static readonly TimeSpan WaitBeat = TimeSpan.FromSeconds(1);

    private readonly PeerGroup _group;
    private readonly PeerGreeting _greeting;
    private readonly KvShadow _shadow;
    private readonly LogitCodec _codec;
    private readonly ConcurrentDictionary<PeerReplica, PeerStream> _streams = new();
    private readonly ResiliencePipeline<ReadOnlyMemory<byte>> _pipeline;
    private PeerReplica? _favourite;
    private IReadOnlyList<PeerReplica> _candidates = [];
    private StepPlan _plan = null!;
    private Task<ReadOnlyMemory<byte>>? _pending;
    private Action? _beat;

    /// <param name="group">The replicas.</param>
    /// <param name="greeting">What they must be like.</param>
    public RemoteBackend(PeerGroup group, PeerGreeting greeting)
    {
        (_group, _greeting) = (group, greeting);
        _shadow = new KvShadow(greeting.Kv);
        _codec = new LogitCodec(greeting.Shape.VocabularySize, group.Encoding);
        PredicateBuilder<ReadOnlyMemory<byte>> unavailable = new PredicateBuilder<ReadOnlyMemory<byte>>()
            .Handle<PeerException>().Handle<TimeoutRejectedException>().Handle<BrokenCircuitException>();
        _pipeline = new ResiliencePipelineBuilder<ReadOnlyMemory<byte>>()
            .AddTimeout(TimeSpan.FromMilliseconds(group.Options.TotalMilliseconds))
            // All at once may fail by chance, and with a step fail all that run in it: once more from the first one on.
            .AddRetry(new RetryStrategyOptions<ReadOnlyMemory<byte>>
            {
                ShouldHandle = unavailable,
                MaxRetryAttempts = 2,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                Delay = TimeSpan.FromMilliseconds(100),
                OnRetry = retry =>
                {
                    retry.Context.Properties.Set(AttemptKey, 0);
                    return ValueTask.CompletedTask;
                },
            })
            .AddHedging(new HedgingStrategyOptions<ReadOnlyMemory<byte>>
            {
                ShouldHandle = unavailable,
                Delay = TimeSpan.FromMilliseconds(group.Options.HedgeMilliseconds),
                MaxHedgedAttempts = 2,
                ActionGenerator = Hedge,
            })
            .Build();
    }

    public ModelShape Shape => _greeting.Shape;

    public KvCapacity Kv => _greeting.Kv;

    public void Forward(ForwardBatch batch, Span<float> logits)
    {
        Begin(batch);
        Complete(logits);
    }

    public void Begin(ForwardBatch batch)
    {
        (_plan, _beat) = (_shadow.Plan(batch), batch.Beat);
        // Off the engine's thread, which goes on with the members of this process.
        _pending = Task.Run(ComputeAsync);
    }

    public void Complete(Span<float> logits)
    {
        ReadOnlySpan<byte> rows = Wait().Span;
        int vocabulary = Shape.VocabularySize;
        if (rows.Length != (long)_plan.LogitRows * _codec.RowBytes)
            throw new InvalidDataException($"{_plan.LogitRows} rows of {_codec.RowBytes} bytes were expected, {rows.Length} bytes came.");
        for (int row = 0; row < _plan.LogitRows; row++)
            _codec.Read(rows.Slice(row * _codec.RowBytes, _codec.RowBytes), logits.Slice(row * vocabulary, vocabulary));
    }

    public void Dispose()
    {
        foreach (PeerStream stream in _streams.Values)
            stream.Dispose();
    }

    private ReadOnlyMemory<byte> Wait()
    {
        try
        {
            // Not for ever: the total time-out ends it.
            while (!_pending!.IsCompleted && Task.WaitAny([_pending], WaitBeat) < 0)
                _beat?.Invoke();
            return _pending.GetAwaiter().GetResult();
        }
        catch (Exception fault) when (fault is PeerException or TimeoutRejectedException or BrokenCircuitException)
        {
            throw new BackendUnavailableException($"No replica of the remote model '{_group.Model}' answers: {fault.Message}", fault);
        }
    }

    private async Task<ReadOnlyMemory<byte>> ComputeAsync()
    {
        long start = Stopwatch.GetTimestamp();
        _candidates = Order(await _group.FindAsync(CancellationToken.None));
        ResilienceContext context = ResilienceContextPool.Shared.Get();
        try
        {
            context.Properties.Set(AttemptKey, 0);
            return await _pipeline.ExecuteAsync(AttemptAsync, context);
        }
        finally
        {
            ResilienceContextPool.Shared.Return(context);
            _group.Meter.Stepped(_group.Model, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
    }

    // The one that answered last holds the K/V; of the others those come first that answer at all.
    private IReadOnlyList<PeerReplica> Order(IReadOnlyList<PeerReplica> replicas) =>
        [.. replicas.OrderBy(replica => replica.Circuit is CircuitState.Open or CircuitState.Isolated).ThenByDescending(replica => replica == _favourite)];

    private Func<ValueTask<Outcome<ReadOnlyMemory<byte>>>>? Hedge(HedgingActionGeneratorArguments<ReadOnlyMemory<byte>> hedge)
    {
        if (hedge.AttemptNumber >= _candidates.Count)
            return null;
        hedge.ActionContext.Properties.Set(AttemptKey, hedge.AttemptNumber);
        return () => hedge.Callback(hedge.ActionContext);
    }

    private async ValueTask<ReadOnlyMemory<byte>> AttemptAsync(ResilienceContext context)
    {
        PeerReplica replica = _candidates[context.Properties.GetValue(AttemptKey, 0)];
        StepPlan plan = _plan;
        ReadOnlyMemory<byte> rows = await replica.Pipeline.ExecuteAsync(
            cancellation => TryAsync(replica, plan, cancellation), context.CancellationToken);
        _favourite = replica;
        return rows;
    }

    private async ValueTask<ReadOnlyMemory<byte>> TryAsync(PeerReplica replica, StepPlan plan, CancellationToken cancellation)
    {
        PeerStream? stream = null;
        try
        {
            stream = _streams.TryGetValue(replica, out PeerStream? open) ? open : _streams[replica] = await OpenAsync(replica, cancellation);
            ((long sent, long received), long replayed) = (stream.Bytes, stream.ReplayedTokens);
            ReadOnlyMemory<byte> rows = await stream.StepAsync(plan, _shadow, cancellation);
            _group.Meter.Moved(_group.Model, stream.Bytes.Sent - sent, stream.Bytes.Received - received, stream.ReplayedTokens - replayed);
            _group.Meter.Attempted(_group.Model, "success");
            return rows;
        }
        catch (InvalidOperationException)
        {
            // The step is at fault, not the replica; what it holds now is not known.
            Drop(replica, stream);
            throw;
        }
        catch (Exception fault)
        {
            Drop(replica, stream);
            _group.Meter.Attempted(_group.Model, fault is OperationCanceledException ? "overtaken" : "failure");
            throw;
        }
    }

    private async Task<PeerStream> OpenAsync(PeerReplica replica, CancellationToken cancellation)
    {
        PeerStream stream = await _group.OpenAsync(replica, cancellation);
        PeerGreeting other = stream.Greeting;
        if (other.Fingerprint == _greeting.Fingerprint && other.Kv.Blocks >= Kv.Blocks && other.Kv.BlockTokens == Kv.BlockTokens)
            return stream;
        stream.Dispose();
        throw new PeerException($"The peer {replica.Address} serves {other.Fingerprint} with {other.Kv.Blocks} K/V blocks; this server loaded "
            + $"{_greeting.Fingerprint} with {Kv.Blocks}. Load the model again to follow: POST /v1/models/{_group.Model}/load.");
    }

    private void Drop(PeerReplica replica, PeerStream? stream)
    {
        if (stream is null)
            return;
        _streams.TryRemove(KeyValuePair.Create(replica, stream));
        stream.Dispose();
    }
}

using System.Threading.Channels;
using Serving.Glyphs.Tokens;

namespace Serving.Inference.Scheduling;

/// <summary>
/// Serves generation requests from one model: takes them at the door, computes them together step by step, and streams
/// what comes of each.
/// </summary>
/// <remarks>
/// Thread-safe. One dedicated thread, the engine loop, owns queues, blocks, backend and sampler, and is fed by a channel;
/// it never waits for a listener. The fault of one request ends that request alone, and the loop lives on. The backend belongs to
/// the caller, who disposes it after the engine.
/// </remarks>
public sealed class Engine : IAsyncDisposable
{
    private static readonly TimeSpan IdleBeat = TimeSpan.FromSeconds(1);

    // Readers do not tell when they caught up; this is how soon it is noticed.
    private static readonly TimeSpan HeldUpPause = TimeSpan.FromMilliseconds(2);

    private readonly Tokenizer _tokenizer;
    private readonly TimeProvider _time;
    private readonly EngineLoop _loop;
    private readonly ModelShape _shape;
    private readonly Door _door;
    private readonly Channel<Command> _commands = Channel.CreateUnbounded<Command>(
        new UnboundedChannelOptions { SingleReader = true, AllowSynchronousContinuations = false });
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _stopping;
    private volatile bool _failed;
    private long _lastBeat;

    // The loop's own.
    private Task<bool>? _nextCommand;
    private bool _draining;
    private int _receivedRequests;
    private long _receivedTokens;
    private double _tokensPerSecond;

    /// <summary>Starts an engine.</summary>
    /// <param name="backend">The model. From now on only the engine loop may use it.</param>
    /// <param name="tokenizer">Turns its tokens into text.</param>
    /// <param name="options">Budgets.</param>
    /// <param name="time">The clock; the system's by default.</param>
    /// <exception cref="ArgumentException">An option is out of range; the message names all that are.</exception>
    public Engine(IBackend backend, Tokenizer tokenizer, EngineOptions options, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(backend);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(options);
        if (options.Problems() is { Count: > 0 } problems)
            throw new ArgumentException(string.Join(' ', problems), nameof(options));
        _tokenizer = tokenizer;
        _time = time ?? TimeProvider.System;
        _shape = backend.Shape;
        _loop = new EngineLoop(backend, options, _time);
        _door = new Door(options.MaxWaitingRequests, options.MaxWaitingTokens);
        _loop.Beat = Beat;
        Beat();
        Publish();
        new Thread(Run) { IsBackground = true, Name = "engine loop" }.Start();
    }

    /// <summary>The longest sequence, prompt and answer together: the model's context, or less if K/V blocks hold less.</summary>
    public int ContextTokens => _loop.ContextTokens;

    /// <summary>Whether the loop died of a defect: nothing will be answered any more.</summary>
    public bool HasFailed => _failed;

    /// <summary>How long the loop has given no sign of life. It gives one a second when idle, before each forward pass, and as often
    /// within one as the backend does (<see cref="ForwardBatch.Beat"/>).</summary>
    public TimeSpan Silence => _time.GetElapsedTime(Volatile.Read(ref _lastBeat));

    /// <summary>A snapshot of the engine.</summary>
    public EngineStatistics Statistics => _door.Statistics;

    /// <summary>Refuses what <see cref="Submit"/> would refuse of any request, before work is put into preparing one.</summary>
    /// <exception cref="EngineRefusedException">The engine takes nothing now.</exception>
    public void ThrowIfFull() => _door.ThrowIfFull();

    /// <summary>Takes a request.</summary>
    /// <param name="request">What to generate.</param>
    /// <param name="cancellation">Ends the request wherever it is; its blocks are free within one step.</param>
    /// <returns>The events, for one reader: see <see cref="GenerationEvent"/>. Exactly one terminal event comes, always, and
    /// completes the channel. The loop never waits for the reader.</returns>
    /// <exception cref="EngineRefusedException">The engine does not take it; nothing was queued.</exception>
    /// <exception cref="ArgumentException">The request does not fit the model.</exception>
    public ChannelReader<GenerationEvent> Submit(GenerationRequest request, CancellationToken cancellation)
    {
        RequestRules.Check(request, _shape, ContextTokens);
        Generation generation = new(request, ContextTokens, _tokenizer.CreateDecoder(), _time)
        {
            HiddenSum = request.PoolsPrompt ? new double[_shape.HiddenWidth] : null,
        };
        // Registered first, so that the loop can always unregister; an abort that overtakes its request is no harm.
        generation.Cancellation = cancellation.UnsafeRegister(_ => Send(CommandKind.Abort, generation), null);
        try
        {
            _door.Enter(generation.PromptTokens, () => Send(CommandKind.Accept, generation));
        }
        catch
        {
            generation.Cancellation.Unregister();
            throw;
        }
        return generation.Events;
    }

    /// <summary>Refuses new requests and waits until the accepted ones are finished.</summary>
    /// <param name="timeout">How long to wait.</param>
    /// <returns>Whether all are finished; those that are not run on until <see cref="DisposeAsync"/>.</returns>
    public async Task<bool> DrainAsync(TimeSpan timeout)
    {
        _door.Close(new EngineRefusedException(EngineRefusal.ShuttingDown, "The engine shuts down; use another replica.", 1));
        Send(CommandKind.Drain);
        try
        {
            await _drained.Task.WaitAsync(timeout, _time);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    /// <summary>Ends every unfinished request with an error, then the loop. Waits for the forward pass in progress.</summary>
    public async ValueTask DisposeAsync()
    {
        _door.Close(new EngineRefusedException(EngineRefusal.ShuttingDown, "The engine was stopped; use another replica.", 1));
        _stopping = true;
        Send(CommandKind.Wake);
        await _ended.Task;
    }

    private void Send(CommandKind kind, Generation? generation = null) =>
        _commands.Writer.TryWrite(new Command(kind, generation));

    private void Run()
    {
        EngineRefusedException end = new(EngineRefusal.ShuttingDown, "The engine was stopped before the request ended.", 1);
        try
        {
            while (!_stopping) Turn();
        }
        catch (Exception fault)
        {
            _failed = true;
            end = new EngineRefusedException(EngineRefusal.Faulted, "The engine's loop failed; restart the process.", 1, fault);
            _door.Close(end);
        }
        End(end);
    }

    private void Turn()
    {
        while (_commands.Reader.TryRead(out Command command)) Apply(command);
        bool isPlanned = _loop.HasWork && _loop.Plan();
        Beat();
        Publish();
        if (isPlanned) ComputeTimed();
        else AwaitCommand(_loop.HasWork ? HeldUpPause : IdleBeat);
    }

    private void Apply(in Command command)
    {
        if (command.Kind == CommandKind.Drain) _draining = true;
        if (command.Generation is not { } generation) return;
        if (command.Kind == CommandKind.Abort)
        {
            _loop.Abort(generation, FinishReason.Cancelled);
            return;
        }
        Receive(generation);
        _loop.Accept(generation);
    }

    private void Receive(Generation generation)
    {
        _receivedRequests++;
        _receivedTokens += generation.PromptTokens;
    }

    private void ComputeTimed()
    {
        long started = _time.GetTimestamp();
        long computed = _loop.ComputedTokens;
        _loop.Compute();
        double seconds = _time.GetElapsedTime(started).TotalSeconds;
        if (seconds <= 0) return;
        double speed = (_loop.ComputedTokens - computed) / seconds;
        _tokensPerSecond = _tokensPerSecond == 0 ? speed : (0.9 * _tokensPerSecond) + (0.1 * speed);
    }

    /// <summary>Sleeps until there is a command, but no longer than a beat.</summary>
    private void AwaitCommand(TimeSpan longest)
    {
        if (_draining && !_loop.HasWork) _drained.TrySetResult();
        _nextCommand ??= _commands.Reader.WaitToReadAsync().AsTask();
        if (_nextCommand.Wait(longest)) _nextCommand = null;
    }

    private void Beat() => Volatile.Write(ref _lastBeat, _time.GetTimestamp());

    private void Publish()
    {
        Scheduler scheduler = _loop.Scheduler;
        EngineStatistics statistics = new()
        {
            WaitingRequests = scheduler.WaitingSequences,
            WaitingTokens = scheduler.WaitingTokens,
            RunningRequests = scheduler.RunningSequences,
            KvBlocksUsed = scheduler.Pool.Used,
            KvBlocksCached = scheduler.Pool.Cached,
            KvBlocksTotal = scheduler.Pool.Total,
            Steps = _loop.Steps,
            ComputedTokens = _loop.ComputedTokens,
            PromptTokens = _loop.PromptTokens,
            CachedPromptTokens = _loop.CachedPromptTokens,
            GeneratedTokens = _loop.GeneratedTokens,
            DraftedTokens = _loop.DraftedTokens,
            AcceptedTokens = _loop.AcceptedTokens,
            AttributedTokens = _loop.AttributedTokens,
            Disagreement = _loop.Disagreement,
            PrefixQueryTokens = scheduler.PrefixQueryTokens,
            PrefixHitTokens = scheduler.PrefixHitTokens,
            Preemptions = scheduler.Preemptions,
            TokensPerSecond = _tokensPerSecond,
        };
        _door.Publish(statistics, _receivedRequests, _receivedTokens);
        (_receivedRequests, _receivedTokens) = (0, 0);
    }

    /// <summary>The door is closed, so what the channel holds now is all that will ever come.</summary>
    private void End(EngineRefusedException reason)
    {
        try
        {
            while (_commands.Reader.TryRead(out Command command))
            {
                if (command.Kind == CommandKind.Accept) Receive(command.Generation!);
                if (command.Generation is { } generation) _loop.Abort(generation, FinishReason.Error, reason);
            }
            foreach (Sequence sequence in _loop.Scheduler.All.ToArray()) _loop.Abort((Generation)sequence, FinishReason.Error, reason);
            Publish();
        }
        finally
        {
            _commands.Writer.TryComplete();
            _drained.TrySetResult();
            _ended.TrySetResult();
        }
    }
}

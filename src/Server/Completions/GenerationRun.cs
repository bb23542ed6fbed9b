using System.Threading.Channels;
using Serving.Inference;
using Serving.Server.Telemetry;

namespace Serving.Server.Completions;

/// <summary>
/// Generates all choices of a plan side by side and merges their pieces. A choice that fails ends the others; disposal cancels
/// whatever still runs and waits until the engine let go of it.
/// </summary>
internal sealed class GenerationRun<TPiece> : IAsyncDisposable
{
    private const int MostUnreadPieces = 16;

    private readonly CancellationTokenSource _ending;
    // A reader that lags holds the engine up, so that what it leaves unread is little.
    private readonly Channel<TPiece> _pieces = Channel.CreateBounded<TPiece>(new BoundedChannelOptions(MostUnreadPieces) { SingleReader = true });
    private readonly CompletionPlan _plan;
    private readonly RequestTelemetry? _telemetry;
    private readonly FollowChoice _follow;
    private readonly Score[] _scores; // of each choice
    private Task _generating = Task.CompletedTask;
    private int _completionTokens;
    private int _cachedTokens;
    private int _draftedTokens;
    private int _acceptedTokens;

    private GenerationRun(CompletionPlan plan, FollowChoice follow, RequestTelemetry? telemetry, CancellationToken cancellationToken)
    {
        (_plan, _follow, _telemetry) = (plan, follow, telemetry);
        _scores = new Score[plan.Choices.Count];
        _ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
    }

    /// <summary>Makes what turns a choice's events into pieces.</summary>
    public delegate Func<GenerationEvent, TPiece> FollowChoice(CompletionPlan.Choice choice);

    /// <summary>The pieces of all choices in the order of their making; fails as the first choice that fails.</summary>
    public ChannelReader<TPiece> Pieces => _pieces.Reader;

    /// <summary>Tokens generated so far, in all choices.</summary>
    public int CompletionTokens => Volatile.Read(ref _completionTokens);

    /// <summary>Whole once <see cref="Pieces"/> has ended.</summary>
    public CompletionUsage Usage => new(
        _plan.PromptTokens, CompletionTokens, _plan.PromptTokens + CompletionTokens,
        new PromptTokensDetails(Volatile.Read(ref _cachedTokens)))
    {
        CompletionTokensDetails = Volatile.Read(ref _draftedTokens) is > 0 and int drafted
            ? new(Volatile.Read(ref _acceptedTokens), drafted - Volatile.Read(ref _acceptedTokens))
            : null,
    };

    /// <summary>The mean log-probability of a choice's generated tokens, where log-probabilities were asked of the engine.
    /// Whole once <see cref="Pieces"/> has ended.</summary>
    public double MeanLogprob(int choice) => _scores[choice].Mean;

    /// <summary>Hands all choices to the engine.</summary>
    /// <param name="plan">What to generate.</param>
    /// <param name="follow">What a choice's events become.</param>
    /// <param name="cancellationToken">Ends all choices.</param>
    /// <param name="telemetry">Measures them; null = nobody does.</param>
    /// <exception cref="Inference.Scheduling.EngineRefusedException">The engine does not take one of them; none runs then.</exception>
    public static async Task<GenerationRun<TPiece>> StartAsync(
        CompletionPlan plan, FollowChoice follow, CancellationToken cancellationToken, RequestTelemetry? telemetry = null)
    {
        telemetry?.Begin(plan.Model);
        var run = new GenerationRun<TPiece>(plan, follow, telemetry, cancellationToken);
        try
        {
            run.Submit();
            return run;
        }
        catch
        {
            await run.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await _generating;
        _ending.Dispose();
    }

    private void Submit()
    {
        var generations = new List<ChannelReader<GenerationEvent>>(_plan.Choices.Count);
        foreach (CompletionPlan.Choice choice in _plan.Choices)
            generations.Add(_plan.Model.Engine.Submit(choice.Request, _ending.Token));
        _generating = GenerateAsync(generations);
    }

    private async Task GenerateAsync(List<ChannelReader<GenerationEvent>> generations)
    {
        await Task.WhenAll(generations.Select((events, i) => FollowAsync(_plan.Choices[i], events)));
        _pieces.Writer.TryComplete();
    }

    // Never throws: the fault goes to the reader of the pieces.
    private async Task FollowAsync(CompletionPlan.Choice choice, ChannelReader<GenerationEvent> events)
    {
        Func<GenerationEvent, TPiece> follow = _follow(choice);
        GenerationTelemetry? telemetry = _telemetry?.Follow();
        try
        {
            await foreach (GenerationEvent step in events.ReadAllAsync(CancellationToken.None))
            {
                Count(step, choice);
                telemetry?.Note(step);
                await PassAsync(follow(step));
            }
        }
        catch (Exception fault)
        {
            _pieces.Writer.TryComplete(fault);
            await _ending.CancelAsync();
        }
    }

    private ValueTask PassAsync(TPiece piece) => _pieces.Writer.TryWrite(piece) ? ValueTask.CompletedTask : AwaitRoomAsync(piece);

    private async ValueTask AwaitRoomAsync(TPiece piece)
    {
        try
        {
            await _pieces.Writer.WriteAsync(piece, _ending.Token);
        }
        catch (Exception end) when (end is OperationCanceledException or ChannelClosedException)
        {
            // Nobody waits for it any more, or another choice failed; the engine's last event is still followed.
        }
    }

    private void Count(GenerationEvent step, CompletionPlan.Choice choice)
    {
        if (step is TokenGenerated token)
        {
            Interlocked.Increment(ref _completionTokens);
            _scores[choice.Index].Add(token.Logprob ?? 0);
        }
        if (step is not GenerationFinished end)
            return;
        Interlocked.Add(ref _draftedTokens, end.Usage.DraftedTokens);
        Interlocked.Add(ref _acceptedTokens, end.Usage.AcceptedTokens);
        if (IsFirstOfPrompt(choice))
            Interlocked.Add(ref _cachedTokens, end.Usage.CachedTokens);
    }

    // A prompt counts once, whatever the number of its answers.
    private bool IsFirstOfPrompt(CompletionPlan.Choice choice) =>
        choice.Index == 0 || !ReferenceEquals(_plan.Choices[choice.Index - 1].Request.PromptTokens, choice.Request.PromptTokens);

    private struct Score
    {
        private double _sum;
        private int _tokens;

        public readonly double Mean => _tokens == 0 ? 0 : _sum / _tokens;

        public void Add(double logprob) => (_sum, _tokens) = (_sum + logprob, _tokens + 1);
    }
}

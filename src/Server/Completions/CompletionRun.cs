using System.Threading.Channels;
using Serving.Inference;
using Serving.Server.Telemetry;

namespace Serving.Server.Completions;

/// <summary>
/// Generates all choices of a plan side by side and merges their pieces. A choice that fails ends the others; disposal cancels
/// whatever still runs and waits until the engine let go of it.
/// </summary>
internal sealed class CompletionRun : IAsyncDisposable
{
    private readonly CancellationTokenSource _ending;
    private readonly Channel<CompletionChoice> _pieces = Channel.CreateUnbounded<CompletionChoice>(new() { SingleReader = true });
    private readonly CompletionPlan _plan;
    private readonly RequestTelemetry? _telemetry;
    private Task _generating = Task.CompletedTask;
    private int _completionTokens;
    private int _cachedTokens;

    private CompletionRun(CompletionPlan plan, RequestTelemetry? telemetry, CancellationToken cancellationToken)
    {
        (_plan, _telemetry) = (plan, telemetry);
        _ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
    }

    /// <summary>The pieces of all choices in the order of their making; fails as the first choice that fails.</summary>
    public ChannelReader<CompletionChoice> Pieces => _pieces.Reader;

    /// <summary>Tokens generated so far, in all choices.</summary>
    public int CompletionTokens => Volatile.Read(ref _completionTokens);

    /// <summary>Whole once <see cref="Pieces"/> has ended.</summary>
    public CompletionUsage Usage => new(
        _plan.PromptTokens, CompletionTokens, _plan.PromptTokens + CompletionTokens,
        new PromptTokensDetails(Volatile.Read(ref _cachedTokens)));

    /// <summary>Hands all choices to the engine.</summary>
    /// <param name="plan">What to generate.</param>
    /// <param name="cancellationToken">Ends all choices.</param>
    /// <param name="telemetry">Measures them; null = nobody does.</param>
    /// <exception cref="Inference.Scheduling.EngineRefusedException">The engine does not take one of them; none runs then.</exception>
    public static async Task<CompletionRun> StartAsync(
        CompletionPlan plan, CancellationToken cancellationToken, RequestTelemetry? telemetry = null)
    {
        telemetry?.Begin(plan.Model);
        var run = new CompletionRun(plan, telemetry, cancellationToken);
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
        var progress = new ChoiceProgress(choice, _plan.Model.Tokenizer);
        GenerationTelemetry? telemetry = _telemetry?.Follow();
        try
        {
            await foreach (GenerationEvent step in events.ReadAllAsync(CancellationToken.None))
            {
                Count(step, choice);
                telemetry?.Note(step);
                _pieces.Writer.TryWrite(progress.Step(step));
            }
        }
        catch (Exception fault)
        {
            _pieces.Writer.TryComplete(fault);
            await _ending.CancelAsync();
        }
    }

    private void Count(GenerationEvent step, CompletionPlan.Choice choice)
    {
        if (step is TokenGenerated)
            Interlocked.Increment(ref _completionTokens);
        else if (step is GenerationFinished end && IsFirstOfPrompt(choice))
            Interlocked.Add(ref _cachedTokens, end.Usage.CachedTokens);
    }

    // A prompt counts once, whatever the number of its answers.
    private bool IsFirstOfPrompt(CompletionPlan.Choice choice) =>
        choice.Index == 0 || !ReferenceEquals(_plan.Choices[choice.Index - 1].Request.PromptTokens, choice.Request.PromptTokens);
}

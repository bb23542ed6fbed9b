using System.Diagnostics;
using System.Threading.Channels;
using Serving.Server.Errors;
using Serving.Server.Hosting;
using Serving.Server.Json;
using Serving.Server.Logging;
using Serving.Server.Telemetry;

namespace Serving.Server.Completions;

/// <summary>Runs a plan and writes what comes of it, in one go or as a stream. Made for one request.</summary>
internal sealed class CompletionAnswer
{
    private readonly long _arrived = Stopwatch.GetTimestamp();
    private readonly HttpContext _http;
    private readonly CompletionPlan _plan;
    private readonly ServingOptions _options;
    private readonly CancellationToken _shutdown;
    private readonly string _id = $"cmpl-{Guid.CreateVersion7():n}";
    private readonly long _created = DateTimeOffset.UtcNow.ToUnixTimeSeconds();

    private CompletionAnswer(HttpContext http, CompletionPlan plan, ServingOptions options, CancellationToken shutdown) =>
        (_http, _plan, _options, _shutdown) = (http, plan, options, shutdown);

    /// <param name="http">The request; when its client leaves, generation is cancelled.</param>
    /// <param name="plan">What to generate.</param>
    /// <param name="options">Time limits of a stream.</param>
    /// <param name="shutdown">Cancelled when the server cannot wait any longer.</param>
    public static async Task WriteAsync(HttpContext http, CompletionPlan plan, ServingOptions options, CancellationToken shutdown)
    {
        var answer = new CompletionAnswer(http, plan, options, shutdown);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, shutdown);
        await using CompletionRun run = await CompletionRun.StartAsync(plan, ending.Token, RequestTelemetry.Of(http));
        try
        {
            await (plan.Stream ? answer.StreamAsync(run) : answer.WriteWholeAsync(run));
        }
        catch (OperationCanceledException) when (shutdown.IsCancellationRequested)
        {
            throw new ApiException(ErrorTable.ShuttingDown());
        }
        finally
        {
            answer.NoteUsage(run);
        }
    }

    private async Task WriteWholeAsync(CompletionRun run)
    {
        ChoiceCollector[] choices = [.. _plan.Choices.Select(choice => new ChoiceCollector(choice.Index))];
        await foreach (CompletionChoice piece in run.Pieces.ReadAllAsync(CancellationToken.None))
        {
            NoteFirstToken();
            choices[piece.Index].Add(piece);
        }
        Completion completion = Chunk(
            [.. choices.Select((choice, i) => choice.ToChoice(_plan.Choices[i].Request.Logprobs is not null))], run.Usage);
        await _http.Response.WriteAsJsonAsync(completion, ServerJson.Contracts.Completion, cancellationToken: _http.RequestAborted);
    }

    private async Task StreamAsync(CompletionRun run)
    {
        using var events = new EventStream(_http.Response, TimeSpan.FromSeconds(_options.WriteTimeoutSeconds));
        events.Open();
        try
        {
            await SendPiecesAsync(run, events);
            if (_plan.IncludeUsage)
                events.Data(Chunk([], run.Usage), ServerJson.Contracts.Completion);
            events.Done();
            await events.FlushAsync();
        }
        catch (Exception fault) when (_http.Response.HasStarted && !HasClientLeft(fault))
        {
            await BreakAsync(events, fault);
        }
    }

    private async Task SendPiecesAsync(CompletionRun run, EventStream events)
    {
        while (await NextAsync(run.Pieces, events))
        {
            while (run.Pieces.TryRead(out CompletionChoice? piece))
            {
                NoteFirstToken();
                events.Data(Chunk([piece], usage: null), ServerJson.Contracts.Completion);
            }
            await events.FlushAsync();
        }
    }

    // Waits for the next piece and breaks the silence meanwhile.
    private async ValueTask<bool> NextAsync(ChannelReader<CompletionChoice> pieces, EventStream events)
    {
        ValueTask<bool> next = pieces.WaitToReadAsync(CancellationToken.None);
        if (next.IsCompleted)
            return await next;
        Task<bool> waiting = next.AsTask();
        TimeSpan longestSilence = TimeSpan.FromSeconds(_options.KeepAliveSeconds);
        while (true)
        {
            await ((Task)waiting).WaitAsync(longestSilence).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (waiting.IsCompleted)
                return await waiting;
            events.KeepAlive();
            await events.FlushAsync();
        }
    }

    // A clean end would be taken for success.
    private async Task BreakAsync(EventStream events, Exception fault)
    {
        ApiFailure failure = _shutdown.IsCancellationRequested ? ErrorTable.ShuttingDown() : ErrorTable.From(fault);
        RequestFacts.Of(_http).ErrorCode = failure.Error.Code;
        events.Data(new ApiErrorResponse(failure.Error), ServerJson.Contracts.ApiErrorResponse);
        await events.FlushAsync();
        throw new BrokenStreamException(fault);
    }

    private bool HasClientLeft(Exception fault) =>
        fault is ClientLeftException || _http.RequestAborted.IsCancellationRequested;

    private Completion Chunk(IReadOnlyList<CompletionChoice> choices, CompletionUsage? usage) => new()
    {
        Id = _id,
        Created = _created,
        Model = _plan.Model.Id,
        SystemFingerprint = _plan.Model.Fingerprint,
        Choices = choices,
        Usage = usage,
    };

    private void NoteFirstToken() =>
        RequestFacts.Of(_http).FirstTokenMilliseconds ??= Stopwatch.GetElapsedTime(_arrived).TotalMilliseconds;

    private void NoteUsage(CompletionRun run)
    {
        RequestFacts facts = RequestFacts.Of(_http);
        (facts.PromptTokens, facts.CompletionTokens) = (_plan.PromptTokens, run.CompletionTokens);
    }
}

using System.Diagnostics;
using System.Threading.Channels;
using Serving.Inference;
using Serving.Server.Access;
using Serving.Server.Errors;
using Serving.Server.Hosting;
using Serving.Server.Json;
using Serving.Server.Logging;
using Serving.Server.Telemetry;

namespace Serving.Server.Completions;

/// <summary>Runs a plan and writes what comes of it, in one go or as a stream, in the shape of a route. Made for one request.</summary>
/// <typeparam name="TPiece">What one event of one choice becomes. A stream sends the pieces, an answer in one go is their sum, so
/// that the two cannot differ.</typeparam>
/// <param name="http">The request; when its client leaves, generation is cancelled.</param>
/// <param name="plan">What to generate.</param>
/// <param name="options">Time limits.</param>
/// <param name="shutdown">Cancelled when the server cannot wait any longer.</param>
internal abstract class GenerationAnswer<TPiece>(
    HttpContext http, CompletionPlan plan, ServingOptions options, CancellationToken shutdown)
{
    private readonly long _arrived = Stopwatch.GetTimestamp();

    protected CompletionPlan Plan => plan;

    /// <summary>How long a client may leave an answer unread.</summary>
    protected TimeSpan WriteTimeout => options.WriteTimeout;

    /// <summary>Seconds since 1970.</summary>
    protected long Created { get; } = DateTimeOffset.UtcNow.ToUnixTimeSeconds();

    /// <summary>Generates and writes the whole answer.</summary>
    public async Task WriteAsync()
    {
        KeyUse.Of(http)?.Take(plan.MostTokens, plan.Choices.Count);
        using var deadline = new AnswerDeadline(http, options, shutdown, plan.Stream);
        await using GenerationRun<TPiece> run = await GenerationRun<TPiece>.StartAsync(plan, Follow, deadline.Token, RequestTelemetry.Of(http));
        try
        {
            await (plan.Stream ? StreamAsync(run) : WriteWholeAsync(run));
        }
        catch (OperationCanceledException) when (deadline.Failure() is { } failure)
        {
            throw new ApiException(failure);
        }
        finally
        {
            NoteUsage(run);
        }
    }

    /// <summary>Makes what turns a choice's events into pieces.</summary>
    protected abstract Func<GenerationEvent, TPiece> Follow(CompletionPlan.Choice choice);

    /// <summary>Writes a piece as an event.</summary>
    protected abstract void Send(TPiece piece, EventStream events);

    /// <summary>Writes the usage as an event.</summary>
    protected abstract void SendUsage(CompletionUsage usage, EventStream events);

    /// <summary>Keeps a piece for <see cref="WriteWholeAsync(HttpResponse, GenerationRun{TPiece})"/>.</summary>
    protected abstract void Collect(TPiece piece);

    /// <summary>Writes the sum of all pieces.</summary>
    protected abstract Task WriteWholeAsync(HttpResponse response, GenerationRun<TPiece> run);

    private async Task WriteWholeAsync(GenerationRun<TPiece> run)
    {
        await foreach (TPiece piece in run.Pieces.ReadAllAsync(CancellationToken.None))
        {
            NoteFirstToken();
            Collect(piece);
        }
        await WriteWholeAsync(http.Response, run);
    }

    private async Task StreamAsync(GenerationRun<TPiece> run)
    {
        using var events = new EventStream(http.Response, WriteTimeout);
        events.Open();
        try
        {
            await SendPiecesAsync(run, events);
            if (plan.IncludeUsage)
                SendUsage(run.Usage, events);
            events.Done();
            await events.FlushAsync();
        }
        catch (Exception fault) when (http.Response.HasStarted && !HasClientLeft(fault))
        {
            await BreakAsync(events, fault);
        }
    }

    private async Task SendPiecesAsync(GenerationRun<TPiece> run, EventStream events)
    {
        while (await NextAsync(run.Pieces, events))
        {
            while (run.Pieces.TryRead(out TPiece? piece))
            {
                NoteFirstToken();
                Send(piece, events);
            }
            await events.FlushAsync();
        }
    }

    // Waits for the next piece and breaks the silence meanwhile.
    private async ValueTask<bool> NextAsync(ChannelReader<TPiece> pieces, EventStream events)
    {
        ValueTask<bool> next = pieces.WaitToReadAsync(CancellationToken.None);
        if (next.IsCompleted)
            return await next;
        Task<bool> waiting = next.AsTask();
        TimeSpan longestSilence = TimeSpan.FromSeconds(options.KeepAliveSeconds);
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
        ApiFailure failure = shutdown.IsCancellationRequested ? ErrorTable.ShuttingDown() : ErrorTable.From(fault);
        RequestFacts.Of(http).ErrorCode = failure.Error.Code;
        events.Data(new ApiErrorResponse(failure.Error), ServerJson.Contracts.ApiErrorResponse);
        await events.FlushAsync();
        throw new BrokenStreamException(fault);
    }

    private bool HasClientLeft(Exception fault) => fault is ClientLeftException || http.RequestAborted.IsCancellationRequested;

    private void NoteFirstToken() =>
        RequestFacts.Of(http).FirstTokenMilliseconds ??= Stopwatch.GetElapsedTime(_arrived).TotalMilliseconds;

    private void NoteUsage(GenerationRun<TPiece> run)
    {
        RequestFacts facts = RequestFacts.Of(http);
        (facts.PromptTokens, facts.CompletionTokens) = (plan.PromptTokens, run.CompletionTokens);
    }
}

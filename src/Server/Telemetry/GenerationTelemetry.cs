using System.Diagnostics;
using Serving.Inference;

namespace Serving.Server.Telemetry;

/// <summary>Measures one generation from its events, on the reader's side: the engine's loop is not concerned. Not thread-safe.</summary>
internal sealed class GenerationTelemetry(RequestTelemetry request, GenerationMeter meter, string model)
{
    private static readonly ActivitySource Spans = new(ServingMeters.Spans);

    private readonly DateTimeOffset _begun = DateTimeOffset.UtcNow;
    private long _lastToken;

    /// <summary>Takes note of an event.</summary>
    public void Note(GenerationEvent step)
    {
        if (step is TokenGenerated)
            NoteToken();
        else if (step is GenerationFinished end)
            NoteEnd(end);
    }

    private void NoteToken()
    {
        long now = Stopwatch.GetTimestamp();
        if (_lastToken != 0)
            meter.TokenFollowed(model, Stopwatch.GetElapsedTime(_lastToken, now).TotalSeconds);
        _lastToken = now;
    }

    private void NoteEnd(GenerationFinished end)
    {
        request.Note(end.Reason, end.Usage);
        if (request.Span is not { } parent)
            return;
        GenerationUsage usage = end.Usage;
        double prefilled = usage.FirstTokenSeconds ?? usage.TotalSeconds;
        AddSpan(parent, "queue", 0, usage.QueueSeconds);
        AddSpan(parent, "prefill", usage.QueueSeconds, prefilled);
        AddSpan(parent, "decode", prefilled, usage.TotalSeconds);
    }

    private void AddSpan(Activity parent, string name, double from, double to)
    {
        using Activity? span = Spans.StartActivity(name, ActivityKind.Internal, parent.Context, startTime: _begun.AddSeconds(from));
        span?.SetEndTime(_begun.AddSeconds(to).UtcDateTime);
    }
}

using System.Threading.Channels;
using Serving.Glyphs.Tokens;
using Serving.Inference.Ensembles;
using Serving.Inference.Sampling;

namespace Serving.Inference.Scheduling;

/// <summary>A sequence that somebody listens to: turns its tokens into text and events.</summary>
/// <remarks>Owned by the engine loop; only the reader's end of its channel is the listener's, for whom nobody waits.</remarks>
internal sealed class Generation : Sequence
{
    /// <summary>From so many unread events on nothing more is picked: a listener that lags costs a few, not all that it asked for.</summary>
    public const int MostUnreadEvents = 256;

    // Not SingleReader, whose channel cannot be counted.
    private readonly Channel<GenerationEvent> _events = Channel.CreateUnbounded<GenerationEvent>(
        new UnboundedChannelOptions { SingleWriter = true, AllowSynchronousContinuations = false });
    private readonly StreamingDecoder _decoder;
    private readonly StopMatcher _stops;
    private readonly TimeProvider _time;
    private readonly long _submitted;
    private readonly ScoredToken[] _scores;
    private long? _started;
    private long? _firstToken;

    /// <summary>A request as it comes in.</summary>
    public Generation(GenerationRequest request, int contextTokens, StreamingDecoder decoder, TimeProvider time)
        : base(request, contextTokens)
    {
        _decoder = decoder;
        _stops = new StopMatcher(request.Stop);
        _time = time;
        _submitted = time.GetTimestamp();
        _scores = Scores ? new ScoredToken[PromptTokens] : [];
        if (Scores) _scores[0] = new ScoredToken(request.PromptTokens[0], null, null);
    }

    /// <summary>The listener's end.</summary>
    public ChannelReader<GenerationEvent> Events => _events.Reader;

    /// <inheritdoc/>
    public override bool IsHeldUp => _events.Reader.Count >= MostUnreadEvents;

    /// <summary>The caller's wish to leave; unregistered at the end.</summary>
    public CancellationTokenRegistration Cancellation { get; set; }

    /// <summary>Notes that the queue is behind it; returns false when that was known.</summary>
    public bool Start()
    {
        if (_started is not null) return false;
        _started = _time.GetTimestamp();
        return true;
    }

    /// <summary>Notes the log-probability of the next unscored prompt token; the last one sends them all.</summary>
    public void Score(float logprob, TokenLogprob[] top)
    {
        Scored++;
        _scores[Scored] = new ScoredToken(Request.PromptTokens[Scored], logprob, top);
        if (Scored == PromptTokens - 1) SendScores();
    }

    /// <summary>Sends the scores of the whole prompt.</summary>
    public void SendScores() => _events.Writer.TryWrite(new PromptScored(_scores));

    /// <summary>Sends the mean of the prompt's hidden states, all of which are computed.</summary>
    public void SendMean() =>
        _events.Writer.TryWrite(new PromptPooled(Array.ConvertAll(HiddenSum!, sum => (float)(sum / PromptTokens))));

    /// <summary>Takes a generated token, tells the listener, and says whether the text ends with it.</summary>
    /// <param name="token">The token.</param>
    /// <param name="endsText">Whether it is an end-of-text or stop token, which has no text.</param>
    /// <param name="logprob">Its log-probability, if asked for.</param>
    /// <param name="top">The likeliest tokens, if asked for.</param>
    /// <param name="experts">What an ensemble's experts thought of it, if asked for.</param>
    public bool Take(int token, bool endsText, float? logprob, TokenLogprob[]? top, ExpertAttribution? experts)
    {
        Append(token);
        _firstToken ??= _time.GetTimestamp();
        string text = endsText ? "" : Admit(_decoder.Push(token));
        _events.Writer.TryWrite(new TokenGenerated(token, text, logprob, top) { Experts = experts });
        return endsText || _stops.Matched;
    }

    /// <summary>Sends the terminal event with the text that was held back, and closes the stream.</summary>
    public void Finish(FinishReason reason)
    {
        string text = "";
        if (!_stops.Matched)
        {
            text = _stops.Push(_decoder.Flush());
            if (_stops.Matched) reason = FinishReason.Stop;
            else text += _stops.Flush();
        }
        End(new GenerationFinished(reason, text) { Usage = Usage() });
    }

    /// <summary>Sends a terminal event without text, and closes the stream.</summary>
    public void Break(FinishReason reason, Exception? error) =>
        End(new GenerationFinished(reason, "", error) { Usage = Usage() });

    /// <summary>Text that comes before MinTokens cannot stop anything, so nothing of it is held back.</summary>
    private string Admit(string text) => GeneratedTokens < Request.MinTokens ? text : _stops.Push(text);

    private void End(GenerationFinished last)
    {
        Cancellation.Unregister();
        _events.Writer.TryWrite(last);
        _events.Writer.TryComplete();
    }

    private GenerationUsage Usage()
    {
        long now = Now();
        return new GenerationUsage(PromptTokens, CachedTokens ?? 0, GeneratedTokens,
            Seconds(_started ?? now), _firstToken is { } first ? Seconds(first) : null, Seconds(now))
        {
            DraftedTokens = Guesses.Drafted,
            AcceptedTokens = Guesses.Accepted,
        };
    }

    // A listener is told the end even by an engine whose clock fails; that it does, the loop learns at its next beat.
    private long Now()
    {
        try
        {
            return _time.GetTimestamp();
        }
        catch (Exception)
        {
            return _firstToken ?? _started ?? _submitted;
        }
    }

    private double Seconds(long timestamp) => _time.GetElapsedTime(_submitted, timestamp).TotalSeconds;
}

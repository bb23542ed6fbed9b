using Serving.Server.Errors;
using Serving.Server.Hosting;

namespace Serving.Server.Completions;

/// <summary>Ends the work on an answer when nobody waits for it any more: its client left, the server shuts down, or it took
/// longer than clients wait.</summary>
internal sealed class AnswerDeadline : IDisposable
{
    private readonly HttpContext _http;
    private readonly CancellationToken _shutdown;
    private readonly int? _seconds;
    private readonly CancellationTokenSource _ending;

    /// <param name="http">The request.</param>
    /// <param name="options">How long an answer may take.</param>
    /// <param name="shutdown">Cancelled when the server cannot wait any longer.</param>
    /// <param name="isStream">A stream may take as long as it likes: its client hears that it lives.</param>
    public AnswerDeadline(HttpContext http, ServingOptions options, CancellationToken shutdown, bool isStream = false)
    {
        (_http, _shutdown, _seconds) = (http, shutdown, isStream ? null : options.AnswerSeconds);
        _ending = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, shutdown);
        if (_seconds is { } seconds)
            _ending.CancelAfter(TimeSpan.FromSeconds(seconds));
    }

    /// <summary>Cancelled when the work must end.</summary>
    public CancellationToken Token => _ending.Token;

    /// <summary>Waits for work that observes <see cref="Token"/>.</summary>
    /// <exception cref="ApiException">The server shuts down, or the time is over.</exception>
    /// <exception cref="OperationCanceledException">The client left.</exception>
    public async Task<T> WithinAsync<T>(Task<T> work)
    {
        try
        {
            return await work;
        }
        catch (OperationCanceledException) when (Failure() is { } failure)
        {
            throw new ApiException(failure);
        }
    }

    /// <summary>What to tell a client that is still there; null when it is not, or when nothing ended the work.</summary>
    public ApiFailure? Failure() => this switch
    {
        _ when _shutdown.IsCancellationRequested => ErrorTable.ShuttingDown(),
        _ when _http.RequestAborted.IsCancellationRequested || !_ending.IsCancellationRequested => null,
        _ => ErrorTable.AnswerTooSlow(_seconds ?? 0),
    };

    public void Dispose() => _ending.Dispose();
}

using System.Runtime.InteropServices;
using Microsoft.Extensions.Options;

namespace Serving.Server.Hosting;

/// <summary>
/// Turns Ctrl-C and SIGTERM into an orderly end: the first closes the door and lets the work in flight finish, while probes
/// and refusals are still answered; the time-out or a second signal ends it now. The exit code stays 0.
/// </summary>
internal sealed class GracefulLifetime(
    StopSignals signals, Drain drain, IHostApplicationLifetime host, IOptions<ServingOptions> options, ILogger<GracefulLifetime> logger)
    : IHostLifetime
{
    // For handlers that were told to end to say so and leave.
    private static readonly TimeSpan LastWords = TimeSpan.FromSeconds(2);

    private int _received;

    public Task WaitForStartAsync(CancellationToken cancellationToken)
    {
        host.ApplicationStopping.Register(drain.Begin);
        signals.HandTo(OnSignal);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private void OnSignal(PosixSignal signal)
    {
        if (Interlocked.Increment(ref _received) == 1)
            _ = DrainThenStopAsync(signal);
        else
            drain.Force();
    }

    private async Task DrainThenStopAsync(PosixSignal signal)
    {
        drain.Begin();
        logger.LogInformation("{Signal}: new requests are refused; {InFlight} in flight may finish within {ShutdownSeconds} s",
            signal.ToString(), drain.InFlight, options.Value.ShutdownSeconds);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(drain.Forced);
        timeout.CancelAfter(TimeSpan.FromSeconds(options.Value.ShutdownSeconds));
        if (!await EndsBeforeAsync(timeout.Token))
        {
            logger.LogWarning("{InFlight} requests are ended before they finished", drain.InFlight);
            drain.Force();
            await Task.WhenAny(drain.Idle, Task.Delay(LastWords, CancellationToken.None));
        }
        host.StopApplication();
    }

    private async Task<bool> EndsBeforeAsync(CancellationToken timeout)
    {
        await drain.Idle.WaitAsync(timeout).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return drain.Idle.IsCompleted;
    }
}

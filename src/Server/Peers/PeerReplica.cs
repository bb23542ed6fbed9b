using Polly;
using Polly.CircuitBreaker;
using Polly.Retry;
using Polly.Timeout;
using Serving.Server.Hosting;

namespace Serving.Server.Peers;

/// <summary>One replica of a remote model: its address and the pipeline that every attempt at it goes through. Thread-safe.</summary>
internal sealed class PeerReplica
{
    private static readonly TimeSpan BreakDuration = TimeSpan.FromSeconds(2);

    private readonly CircuitBreakerStateProvider _circuit = new();

    public PeerReplica(Uri address, RemoteOptions options)
    {
        Address = address;
        // Outermost first: a retry asks the breaker again, and each try has its own time.
        Pipeline = new ResiliencePipelineBuilder<ReadOnlyMemory<byte>>()
            .AddRetry(new RetryStrategyOptions<ReadOnlyMemory<byte>>
            {
                // Nothing has left for the client yet, and a step computed twice leaves what it leaves computed once.
                ShouldHandle = new PredicateBuilder<ReadOnlyMemory<byte>>().Handle<PeerException>(),
                MaxRetryAttempts = 1,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                Delay = TimeSpan.FromMilliseconds(20),
            })
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions<ReadOnlyMemory<byte>>
            {
                ShouldHandle = new PredicateBuilder<ReadOnlyMemory<byte>>().Handle<PeerException>().Handle<TimeoutRejectedException>(),
                FailureRatio = 0.5,
                MinimumThroughput = 3,
                SamplingDuration = TimeSpan.FromSeconds(10),
                BreakDuration = BreakDuration,
                StateProvider = _circuit,
            })
            .AddTimeout(TimeSpan.FromMilliseconds(options.AttemptMilliseconds))
            .Build();
    }

    public Uri Address { get; }

    public ResiliencePipeline<ReadOnlyMemory<byte>> Pipeline { get; }

    /// <summary>Whether attempts get through.</summary>
    public CircuitState Circuit => _circuit.CircuitState;

    /// <summary>The circuit's state in metrics.</summary>
    public string State => Circuit switch
    {
        CircuitState.Closed => "closed",
        CircuitState.HalfOpen => "half_open",
        _ => "open",
    };
}

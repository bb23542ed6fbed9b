using System.Diagnostics;
using Serving.Inference;
using Serving.Inference.Scheduling;

namespace Serving.Server.Benchmarks;

/// <summary>An engine in this process: a load without HTTP.</summary>
internal sealed class EngineTarget(Engine engine)
{
    public async Task<RequestTiming> SendAsync(int[] prompt, int outputTokens, CancellationToken cancellationToken)
    {
        var request = new GenerationRequest { Id = "bench", PromptTokens = prompt, MaxTokens = outputTokens, IgnoreEndOfText = true };
        var arrivals = new List<TimeSpan>(outputTokens);
        long start = Stopwatch.GetTimestamp();
        await foreach (GenerationEvent answer in engine.Submit(request, cancellationToken).ReadAllAsync(cancellationToken))
        {
            if (answer is TokenGenerated)
                arrivals.Add(Stopwatch.GetElapsedTime(start));
            else if (answer is GenerationFinished { Error: { } error })
                throw new InvalidOperationException("A request of the load failed.", error);
        }
        return new RequestTiming(arrivals.Count, arrivals);
    }
}

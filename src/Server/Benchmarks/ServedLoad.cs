using System.Diagnostics;

namespace Serving.Server.Benchmarks;

/// <summary>Sends a request and times its answer.</summary>
/// <param name="prompt">Token ids.</param>
/// <param name="outputTokens">How many tokens to generate, whatever they are.</param>
/// <param name="cancellationToken">Gives up.</param>
internal delegate Task<RequestTiming> SendRequest(int[] prompt, int outputTokens, CancellationToken cancellationToken);

/// <summary>Runs loads against anything that answers requests.</summary>
/// <param name="send">The server.</param>
/// <param name="vocabularySize">Prompts are made of ids below it.</param>
internal sealed class ServedLoad(SendRequest send, int vocabularySize)
{
    private readonly Random _random = new(11);

    /// <summary>Answers every request of a load, as many at a time as it says; each client sends its next request when it has its
    /// last answer.</summary>
    public async Task<LoadResult> RunAsync(LoadPlan plan, CancellationToken cancellationToken)
    {
        await send(Prompt(plan.PromptTokens), 2, cancellationToken);
        var prompts = new Queue<int[]>(Enumerable.Range(0, plan.Requests).Select(_ => Prompt(plan.PromptTokens)));
        var timings = new List<RequestTiming>();
        long start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, plan.Concurrency).Select(_ => Task.Run(ServeClientAsync, cancellationToken)));
        return LoadResult.Of(plan, timings, Stopwatch.GetElapsedTime(start));

        async Task ServeClientAsync()
        {
            while (true)
            {
                int[]? prompt;
                lock (prompts)
                {
                    if (!prompts.TryDequeue(out prompt))
                        return;
                }
                RequestTiming timing = await send(prompt, plan.OutputTokens, cancellationToken);
                lock (timings)
                    timings.Add(timing);
            }
        }
    }

    private int[] Prompt(int tokens)
    {
        lock (_random)
            return [.. Enumerable.Range(0, tokens).Select(_ => _random.Next(vocabularySize))];
    }
}

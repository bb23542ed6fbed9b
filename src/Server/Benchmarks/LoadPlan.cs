namespace Serving.Server.Benchmarks;

/// <summary>A load: requests of one size, some of them at a time, each with a prompt of its own.</summary>
internal sealed record LoadPlan(int Requests, int Concurrency, int PromptTokens, int OutputTokens)
{
    public override string ToString() =>
        $"{Requests} requests of {PromptTokens} + {OutputTokens} tokens, {Concurrency} at a time";
}

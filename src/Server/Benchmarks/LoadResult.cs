namespace Serving.Server.Benchmarks;

/// <summary>What a load came to. Times are in milliseconds.</summary>
internal sealed record LoadResult
{
    public required string Load { get; init; }

    /// <summary>All generated tokens by the time from the first request sent to the last answer's end.</summary>
    public required double GeneratedTokensPerSecond { get; init; }

    public required Percentiles TimeToFirstToken { get; init; }

    public required Percentiles TimePerOutputToken { get; init; }

    public required Percentiles InterTokenLatency { get; init; }

    public static LoadResult Of(LoadPlan plan, IReadOnlyList<RequestTiming> requests, TimeSpan total) => new()
    {
        Load = plan.ToString(),
        GeneratedTokensPerSecond = requests.Sum(request => request.Tokens) / total.TotalSeconds,
        TimeToFirstToken = Percentiles.Of(requests.Select(request => request.Arrivals[0])),
        TimePerOutputToken = Percentiles.Of(requests.Where(request => request.Tokens > 1)
            .Select(request => (request.Arrivals[^1] - request.Arrivals[0]) / (request.Tokens - 1))),
        InterTokenLatency = Percentiles.Of(requests.SelectMany(request =>
            request.Arrivals.Zip(request.Arrivals.Skip(1), (before, after) => after - before))),
    };
}

/// <summary>The middle of some times and their slow end, in milliseconds.</summary>
internal sealed record Percentiles(double P50, double P95, double P99)
{
    public static Percentiles Of(IEnumerable<TimeSpan> times)
    {
        double[] sorted = [.. times.Select(time => time.TotalMilliseconds).Order()];
        return new Percentiles(At(0.5), At(0.95), At(0.99));

        double At(double share) => sorted.Length == 0 ? 0 : sorted[(int)Math.Min(sorted.Length - 1, share * sorted.Length)];
    }
}

/// <summary>One request's answer.</summary>
/// <param name="Tokens">Tokens generated.</param>
/// <param name="Arrivals">When each piece of the answer came, counted from the sending of the request; a piece is a token, or
/// what a server sends at once.</param>
internal sealed record RequestTiming(int Tokens, IReadOnlyList<TimeSpan> Arrivals);

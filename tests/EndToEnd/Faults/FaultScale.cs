using System.Globalization;

namespace Serving.EndToEnd.Faults;

/// <summary>How much of a fault: a short form for every change, the full one with <c>SERVING_FAULTS=full</c>. Figures are appended to the
/// file that <c>SERVING_FAULTS_RESULTS</c> names.</summary>
internal static class FaultScale
{
    private static readonly Lock Gate = new();

    public static bool IsFull { get; } = Environment.GetEnvironmentVariable("SERVING_FAULTS") == "full";

    public static int Of(int full, int shortened) => IsFull ? full : shortened;

    /// <summary>The smallest value that so many percent of the values do not exceed.</summary>
    public static double Percentile(IEnumerable<double> values, double percent)
    {
        double[] sorted = [.. values.Order()];
        return sorted[Math.Max(0, (int)Math.Ceiling(sorted.Length * percent / 100) - 1)];
    }

    /// <summary>Notes what was measured.</summary>
    public static void Record(string id, FormattableString figures)
    {
        if (Environment.GetEnvironmentVariable("SERVING_FAULTS_RESULTS") is not { Length: > 0 } path)
            return;
        lock (Gate)
            File.AppendAllText(path, $"| {id} | {(IsFull ? "full" : "short")} | {figures.ToString(CultureInfo.InvariantCulture)} |\n");
    }
}

/// <summary>Faults one after another: two cores cannot carry several.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class FaultSeries
{
    public const string Name = "faults";
}

using System.Globalization;

namespace Serving.EndToEnd.Reliability;

/// <summary>How many cases a test runs: few in CI, all of them with <c>RELIABILITY=full</c> in the environment. Figures are appended to the file
/// that <c>RELIABILITY_RESULTS</c> names.</summary>
internal static class Count
{
    private static readonly Lock Gate = new();

    public static bool IsFull { get; } = Environment.GetEnvironmentVariable("RELIABILITY") == "full";

    public static int Of(int few, int full) => IsFull ? full : few;

    /// <summary>Notes what was measured; none of it is asserted.</summary>
    public static void Record(string rule, FormattableString figures)
    {
        if (Environment.GetEnvironmentVariable("RELIABILITY_RESULTS") is not { Length: > 0 } path)
            return;
        lock (Gate)
            File.AppendAllText(path, $"| {rule} | {(IsFull ? "full" : "short")} | {figures.ToString(CultureInfo.InvariantCulture)} |\n");
    }
}

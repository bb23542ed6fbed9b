namespace Serving.EndToEnd.Reliability;

/// <summary>How many cases a test runs: few in CI, all of them with <c>RELIABILITY=full</c> in the environment.</summary>
internal static class Count
{
    public static bool IsFull { get; } = Environment.GetEnvironmentVariable("RELIABILITY") == "full";

    public static int Of(int few, int full) => IsFull ? full : few;
}

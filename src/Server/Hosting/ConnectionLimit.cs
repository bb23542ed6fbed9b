using System.Globalization;

namespace Serving.Server.Hosting;

/// <summary>How many connections at once the process can carry. Each is an open file, and when there are none left the runtime cannot
/// start a thread, which is its end.</summary>
internal static class ConnectionLimit
{
    // For libraries that are still to be loaded, models' files, peers and threads.
    private const int Spare = 128;

    private const string Own = "/proc/self";

    /// <summary>So many connections, or as many as the limit of open files leaves room for.</summary>
    public static int Of(int wanted)
    {
        string limits = Path.Combine(Own, "limits");
        return File.Exists(limits) && OpenFiles(File.ReadAllText(limits)) is { } files
            ? AtMost(wanted, files, Directory.GetFileSystemEntries(Path.Combine(Own, "fd")).Length)
            : wanted;
    }

    /// <summary>The same, of a limit and the files that are open.</summary>
    public static int AtMost(int wanted, long files, int open) => (int)Math.Clamp(files - open - Spare, 1, wanted);

    /// <summary>The limit in force in a text such as <c>/proc/self/limits</c>; null when there is none.</summary>
    public static long? OpenFiles(string limits) =>
        limits.Split('\n').FirstOrDefault(line => line.StartsWith("Max open files", StringComparison.Ordinal)) is { } line
        && long.TryParse(line["Max open files".Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0], NumberStyles.None, CultureInfo.InvariantCulture, out long files)
            ? files : null;
}

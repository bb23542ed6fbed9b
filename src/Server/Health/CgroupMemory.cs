using System.Globalization;

namespace Serving.Server.Health;

/// <summary>The memory limit of the control group that this process is in, version 1 or 2.</summary>
internal static class CgroupMemory
{
    private const string Mount = "/sys/fs/cgroup";

    /// <summary>Bytes; null when there is no limit below the machine's own memory.</summary>
    public static long? Limit() => Limit("/proc/self/cgroup", Mount);

    /// <summary>The same, of other files.</summary>
    public static long? Limit(string membership, string mount)
    {
        if (!File.Exists(membership))
            return null;
        long? least = null;
        foreach (string file in File.ReadLines(membership).SelectMany(line => LimitFiles(line, mount)).Where(File.Exists))
        {
            if (long.TryParse(File.ReadAllText(file), NumberStyles.Integer, CultureInfo.InvariantCulture, out long bytes))
                least = Math.Min(bytes, least ?? long.MaxValue);
        }
        return least >= MachineBytes() ? null : least;
    }

    // The tightest limit from the group up to the root counts. Inside a container the root of the mount is the group itself.
    private static IEnumerable<string> LimitFiles(string line, string mount)
    {
        string[] parts = line.Split(':', 3);
        (string folder, string name) = parts switch
        {
            [_, "", _] => (mount, "memory.max"),
            [_, "memory", _] => (Path.Combine(mount, "memory"), "memory.limit_in_bytes"),
            _ => ("", ""),
        };
        if (name.Length == 0)
            yield break;
        for (string group = parts[2].Trim('/'); ; group = Path.GetDirectoryName(group) ?? "")
        {
            yield return Path.Combine(folder, group, name);
            if (group.Length == 0)
                yield break;
        }
    }

    private static long MachineBytes()
    {
        string total = File.ReadLines("/proc/meminfo").First(line => line.StartsWith("MemTotal:", StringComparison.Ordinal));
        return long.Parse(total.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
    }
}

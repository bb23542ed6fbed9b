using System.Globalization;

namespace Serving.EndToEnd.Faults;

/// <summary>A memory control group of its own, as a container has; needs root.</summary>
internal sealed class MemoryGroup : IDisposable
{
    private const string V1 = "/sys/fs/cgroup/memory";
    private const string V2 = "/sys/fs/cgroup";

    private readonly string _folder;

    private MemoryGroup(string folder) => _folder = folder;

    /// <summary>The command that runs another one inside.</summary>
    public string[] Prefix => ["sh", "-c", $"echo $$ > {_folder}/cgroup.procs && exec \"$@\"", "sh"];

    /// <returns>Null where that is not allowed.</returns>
    public static MemoryGroup? TryCreate(int mib)
    {
        bool isV1 = File.Exists(Path.Combine(V1, "memory.limit_in_bytes"));
        var group = new MemoryGroup(Path.Combine(isV1 ? V1 : V2, $"serving-{Guid.NewGuid():n}"));
        try
        {
            Directory.CreateDirectory(group._folder);
            File.WriteAllText(Path.Combine(group._folder, isV1 ? "memory.limit_in_bytes" : "memory.max"), ((long)mib << 20).ToString(CultureInfo.InvariantCulture));
            return group;
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    public void Dispose()
    {
        try
        {
            Directory.Delete(_folder);
        }
        catch (IOException)
        {
            // Its last process is still on its way out; an empty group costs nothing.
        }
    }
}

namespace Serving.Server.CommandLine;

/// <summary>A folder that a verb writes.</summary>
internal static class OutputFolder
{
    /// <summary>Writes it.</summary>
    /// <exception cref="CommandLineException">The disk is full, or the place is not ours.</exception>
    public static T Write<T>(string folder, Func<T> write)
    {
        try
        {
            return write();
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new CommandLineException(ExitCode.Failure, $"The folder could not be written: {fault.Message}", folder,
                "Make room, or name another folder with --out; no unfinished file was left behind.", fault);
        }
    }
}

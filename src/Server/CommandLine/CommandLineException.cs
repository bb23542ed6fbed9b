namespace Serving.Server.CommandLine;

/// <summary>Ends the program with three lines: what is wrong, where, and how to mend it.</summary>
internal sealed class CommandLineException(int exitCode, string what, string where, string remedy, Exception? fault = null)
    : Exception(what, fault)
{
    /// <summary>One of <see cref="CommandLine.ExitCode"/>.</summary>
    public int ExitCode { get; } = exitCode;

    public string Where { get; } = where;

    public string Remedy { get; } = remedy;
}

namespace Serving.Server.CommandLine;

/// <summary>What the program's end tells a script.</summary>
internal static class ExitCode
{
    public const int Ok = 0;
    public const int Failure = 1;
    public const int Usage = 2;
    public const int BadModelFile = 3;
    public const int NotFound = 4;
    public const int AddressInUse = 5;
    public const int Interrupted = 130;
}

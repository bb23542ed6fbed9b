using System.CommandLine;

namespace Serving.Server.CommandLine;

/// <summary>Options that several verbs take.</summary>
internal static class CommonOptions
{
    public static Option<string[]> Models { get; } = new("--models")
    {
        Description = "A folder of models; may be given several times. Default: the folder 'models' here, beside the program or above.",
        HelpName = "DIR",
    };

    public static Option<bool> Verbose { get; } = new("--verbose")
    {
        Description = "Show timings and, after an error, the stack trace.",
    };
}

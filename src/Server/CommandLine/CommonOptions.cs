using System.CommandLine;
using Serving.Server.Hosting;

namespace Serving.Server.CommandLine;

/// <summary>Options that several verbs take.</summary>
internal static class CommonOptions
{
    public static Option<string[]> Models { get; } = new("--models")
    {
        Description = "A folder of models; may be given several times. Default: the folder 'models' here, beside the program or above.",
        HelpName = "DIR",
    };

    /// <summary>What <c>--models</c> names, or else the setting <c>Serving:Models</c>; folders separated like PATH.</summary>
    public static string? FoldersOf(ParseResult parsed)
    {
        if (parsed.GetValue(Models) is { Length: > 0 } folders)
            return string.Join(Path.PathSeparator, folders);
        IConfiguration settings = new ConfigurationBuilder().SetBasePath(AppContext.BaseDirectory)
            .AddJsonFile("appsettings.json", optional: true).AddEnvironmentVariables().Build();
        return settings[$"{ServingOptions.Section}:{nameof(ServingOptions.Models)}"];
    }

    public static Option<bool> Verbose { get; } = new("--verbose")
    {
        Description = "Show timings and, after an error, the stack trace.",
    };
}

using System.CommandLine;

namespace Serving.Server.CommandLine;

/// <summary>The program's verbs.</summary>
internal static class ServingCommandLine
{
    private const string DefaultVerb = "serve";

    /// <summary>Runs the verb that the arguments name; without one, <c>serve</c>.</summary>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(string[] arguments)
    {
        RootCommand root = Create();
        ParseResult parsed = root.Parse(WithVerb(arguments, root));
        try
        {
            if (parsed.Errors.Count > 0)
            {
                throw new CommandLineException(
                    ExitCode.Usage, parsed.Errors[^1].Message, "the command line", "--help lists verbs and options.");
            }
            return await parsed.InvokeAsync(new() { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        }
        catch (Exception fault)
        {
            return FailureReport.Write(fault, parsed.GetValue(CommonOptions.Verbose));
        }
    }

    private static RootCommand Create() => new("A model server for frozen-embedding language models.")
    {
        ServeCommand.Create(),
        GenerateCommand.Create(),
        EmbedCommand.Create(),
        InspectCommand.Create(),
        BenchCommand.Create(),
        ConvertCommand.Create(),
        KeyCommand.Create(),
    };

    private static string[] WithVerb(string[] arguments, RootCommand root)
    {
        bool isVerb = arguments is [not ['-', ..], ..];
        bool isOfRoot = root.Options.Any(option => arguments is [var first, ..] && (option.Name == first || option.Aliases.Contains(first)));
        return isVerb || isOfRoot ? arguments : [DefaultVerb, .. arguments];
    }
}

using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Options;
using Serving.Glyphs.Fonts;
using Serving.Glyphs.Tokens;
using Serving.Inference.Checkpoints;

namespace Serving.Server.CommandLine;

/// <summary>The one place where a fault becomes an exit code and three lines on stderr.</summary>
internal static class FailureReport
{
    /// <summary>Tells a person what happened.</summary>
    /// <param name="fault">What ended the command.</param>
    /// <param name="verbose">Whether to add the stack trace.</param>
    /// <returns>The exit code.</returns>
    public static int Write(Exception fault, bool verbose)
    {
        if (fault is OperationCanceledException)
            return ExitCode.Interrupted;
        CommandLineException known = Explain(fault);
        Console.Error.WriteLine($"error: {known.Message}");
        Console.Error.WriteLine($"where: {known.Where}");
        Console.Error.WriteLine($"mend:  {known.Remedy}");
        if (verbose)
            Console.Error.WriteLine(fault);
        return known.ExitCode;
    }

    private static CommandLineException Explain(Exception fault) => fault switch
    {
        CommandLineException known => known,
        CheckpointException file => new(ExitCode.BadModelFile,
            $"{file.Subject}: expected {file.Expected}, found {file.Found}.", file.Path, file.Remedy ?? "Replace the file by an intact one."),
        TokenizerFormatException file => new(ExitCode.BadModelFile,
            $"{file.Where}: expected {file.Expected}, found {file.Found}.", file.Path, "Replace the file by the tokenizer of this model."),
        FontFormatException font => new(ExitCode.BadModelFile, font.Message, font.Path,
            "Use a font in GNU Unifont's .hex format, or leave --font out."),
        OptionsValidationException settings => new(ExitCode.Usage,
            string.Join(' ', settings.Failures), "appsettings.json, the environment or the command line",
            "Correct or remove the setting."),
        IOException { InnerException: AddressInUseException } => new(ExitCode.AddressInUse,
            "The address is in use.", fault.Message.TrimEnd('.'),
            "Stop the other program, or choose another port: --urls http://127.0.0.1:8081"),
        SocketException or IOException { InnerException: SocketException } => new(ExitCode.Failure,
            "The server cannot listen.", fault.Message, "Choose another address with --urls."),
        FormatException => new(ExitCode.Usage, fault.Message, "--urls", "Write an address such as http://127.0.0.1:8080"),
        _ => new(ExitCode.Failure, fault.Message, fault.TargetSite?.DeclaringType?.FullName ?? "unknown",
            "Run again with --verbose for the details."),
    };
}

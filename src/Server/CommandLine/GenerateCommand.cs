using System.CommandLine;
using System.CommandLine.Parsing;
using Serving.Server.Completions;
using Serving.Server.Models;

namespace Serving.Server.CommandLine;

/// <summary>The verb <c>generate</c>: continues a text in the terminal, without a server.</summary>
internal static class GenerateCommand
{
    private const int DefaultMaxTokens = 200;
    private const double DefaultTemperature = 0.8;

    private static readonly Argument<string?> Prompt = new("prompt")
    {
        Description = "The text to continue. Left out, or -: read from standard input.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Option<string?> Model = new("--model")
    {
        Description = "A model, a named ensemble or a sum such as a+b. Default: the first model of the folder.",
        HelpName = "ID",
    };

    private static readonly Option<int> MaxTokens = new("--max-tokens")
    {
        Description = "The most tokens to generate; less where the context ends.",
        DefaultValueFactory = _ => DefaultMaxTokens,
        Validators = { AtLeastOne },
    };

    private static readonly Option<double> Temperature = new("--temperature")
    {
        Description = "0 to 2; 0 always picks the most likely token.",
        DefaultValueFactory = _ => DefaultTemperature,
    };

    private static readonly Option<double?> TopP = new("--top-p")
    {
        Description = "Above 0, up to 1: keep the smallest set of likely tokens that reaches this.",
    };

    private static readonly Option<int?> TopK = new("--top-k") { Description = "Keep this many of the most likely tokens." };

    private static readonly Option<long?> Seed = new("--seed") { Description = "The same seed gives the same text." };

    private static readonly Option<string[]> Stop = new("--stop")
    {
        Description = "A text that ends generation; may be given several times.",
    };

    private static readonly Option<bool> Echo = new("--echo") { Description = "Begin the output with the prompt." };

    public static Command Create()
    {
        var command = new Command("generate", """
            Continues a text: the text on standard output, as it comes; everything else on standard error.

            Example:
              generate --model glyph-ru "В начале"
            """)
        {
            Prompt, Model, MaxTokens, Temperature, TopP, TopK, Seed, Stop, Echo, CommonOptions.Quantize, CommonOptions.Threads, CommonOptions.Device, CommonOptions.Precision, CommonOptions.Models, CommonOptions.Verbose,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        ModelCatalog catalog = ModelRoots.Open(CommonOptions.FoldersOf(parsed));
        string id = parsed.GetValue(Model) ?? catalog.Ids.First();
        string prompt = await ReadPromptAsync(parsed.GetValue(Prompt), cancellationToken);
        bool showTimings = parsed.GetValue(CommonOptions.Verbose) || !Console.IsErrorRedirected;
        var session = new GenerateSession(Console.Out, Console.Error, showTimings) { Device = CommonOptions.DeviceOf(parsed) };
        using var interruption = Interruption.Link(cancellationToken);
        await session.RunAsync(catalog, id, RequestOf(parsed, prompt), parsed.GetValue(MaxTokens), interruption.Token);
        return ExitCode.Ok;
    }

    private static void AtLeastOne(OptionResult result)
    {
        if (result.GetValueOrDefault<int>() < 1)
            result.AddError($"{result.Option.Name} must be at least 1.");
    }

    private static CompletionRequest RequestOf(ParseResult parsed, string prompt) => new()
    {
        Prompt = new CompletionPrompt([new CompletionPrompt.Item(prompt, null)], IsList: false),
        Temperature = parsed.GetValue(Temperature),
        TopP = parsed.GetValue(TopP),
        TopK = parsed.GetValue(TopK),
        Seed = parsed.GetValue(Seed),
        Stop = parsed.GetValue(Stop) is { Length: > 0 } texts ? new StopTexts(texts) : null,
        Echo = parsed.GetValue(Echo),
    };

    private static async Task<string> ReadPromptAsync(string? given, CancellationToken cancellationToken)
    {
        if (given is not (null or "-"))
            return given;
        if (!Console.IsInputRedirected)
            Console.Error.WriteLine("Type the text to continue, then Ctrl-D:");
        return (await Console.In.ReadToEndAsync(cancellationToken)).TrimEnd('\n', '\r');
    }
}

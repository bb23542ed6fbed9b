using System.CommandLine;
using System.CommandLine.Parsing;
using Serving.Inference.Scheduling;
using Serving.Server.Ensembles;
using Serving.Server.Evaluation;
using Serving.Server.Models;

namespace Serving.Server.CommandLine;

/// <summary>The verb <c>eval</c>: measures models, ensembles and sums on texts and multiple-choice tasks.</summary>
internal static class EvalCommand
{
    private static readonly Argument<string[]> Files = new("files")
    {
        Description = "Texts (UTF-8) to predict, and tasks: *.jsonl files of {question, choices, answer}.",
        HelpName = "FILE",
        Arity = ArgumentArity.OneOrMore,
    };

    private static readonly Option<string[]> Models = new("--model")
    {
        Description = "A model, a named ensemble or a sum such as a+b; may be given several times. Default: every model and named ensemble.",
        HelpName = "NAME",
    };

    private static readonly Option<string> Format = new("--format")
    {
        Description = "What to write: table, json or markdown.",
        DefaultValueFactory = _ => "table",
    };

    private static readonly Option<string> Style = new("--style")
    {
        Description = "How the papers write a question: mmlu (options in one line, one token drawn) or arc (an option a line, two tokens).",
        DefaultValueFactory = _ => "mmlu",
    };

    private static readonly Option<string> By = new("--by")
    {
        Description = "How a model answers: sampling, as the papers' authors did, likelihood of the letters, or both.",
        DefaultValueFactory = _ => "both",
    };

    private static readonly Option<int> Runs = new("--runs")
    {
        Description = "How often every question is drawn; 2 to 1000.",
        DefaultValueFactory = _ => 10,
        Validators = { result => Inside(result, 2, 1000) },
    };

    private static readonly Option<int> Seed = new("--seed") { Description = "The same seed draws the same answers.", DefaultValueFactory = _ => 1 };

    private static readonly Option<int> MaxChars = new("--max-chars")
    {
        Description = "Read this many characters of each text; 0 reads all.",
        Validators = { result => Inside(result, 0, int.MaxValue) },
    };

    private static readonly Option<int> Window = new("--window")
    {
        Description = "The most tokens a prediction sees; windows advance by half of it. Default: the models' context.",
        DefaultValueFactory = _ => int.MaxValue,
        Validators = { result => Inside(result, 2, int.MaxValue) },
    };

    public static Command Create()
    {
        Format.AcceptOnlyFromAmong("table", "json", "markdown");
        Style.AcceptOnlyFromAmong("mmlu", "arc");
        By.AcceptOnlyFromAmong("sampling", "likelihood", "both");
        var command = new Command("eval", """
            Measures models on texts (perplexity, bits per character) and on multiple-choice tasks, with 95 % intervals.

            Example:
              eval --model glyph-en --model glyph-en+glyph-ru validation.txt questions.jsonl
            """)
        {
            Files, Models, Format, Style, By, Runs, Seed, MaxChars, Window, CommonOptions.Quantize, CommonOptions.Threads, CommonOptions.Device, CommonOptions.Precision, CommonOptions.Models, CommonOptions.Verbose,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        string[] files = parsed.GetValue(Files)!;
        if (files.FirstOrDefault(file => !File.Exists(file)) is { } missing)
            throw new CommandLineException(ExitCode.NotFound, "There is no such file.", missing, "Name text files and *.jsonl tasks.");
        ModelCatalog catalog = ModelRoots.Open(CommonOptions.FoldersOf(parsed));
        await using var models = new LocalModels(catalog, new EngineOptions(), CommonOptions.DeviceOf(parsed));
        string[] names = parsed.GetValue(Models) is { Length: > 0 } given
            ? given
            : [.. catalog.Ids, .. catalog.Ensembles.Select(ensemble => ensemble.Id)];
        using var interruption = Interruption.Link(cancellationToken);
        try
        {
            var report = new EvaluationReport(
                EvaluateTexts(parsed, models, names, [.. files.Where(file => !IsTask(file))], interruption.Token),
                await EvaluateTasksAsync(parsed, models, names, [.. files.Where(IsTask)], interruption.Token));
            Write(report, parsed.GetValue(Format)!);
        }
        catch (InvalidDataException bad)
        {
            throw new CommandLineException(ExitCode.Usage, bad.Message, "the files to evaluate", "Correct the file or leave it out.");
        }
        return ExitCode.Ok;
    }

    private static List<TextResult> EvaluateTexts(
        ParseResult parsed, LocalModels models, string[] names, string[] files, CancellationToken cancellation)
    {
        if (files.Length == 0)
            return [];
        List<TextResult> results = [];
        Cast[] casts = [.. names.Select(models.Load)];
        foreach (var group in casts.GroupBy(cast => (cast.Members[0].Tokenizer.Fingerprint, cast.Members[0].VocabularySize)))
        {
            using var evaluation = new TextEvaluation([.. group], parsed.GetValue(Window));
            foreach (string file in files)
                results.AddRange(evaluation.Run(Path.GetFileName(file), Read(file, parsed.GetValue(MaxChars)), Progress(file), cancellation));
        }
        return [.. results.OrderBy(result => Array.FindIndex(files, file => Path.GetFileName(file) == result.Text))
            .ThenBy(result => Array.IndexOf(names, result.Model))];
    }

    private static async Task<List<ChoiceResult>> EvaluateTasksAsync(
        ParseResult parsed, LocalModels models, string[] names, string[] files, CancellationToken cancellation)
    {
        List<ChoiceResult> results = [];
        foreach (string file in files)
        {
            IReadOnlyList<ChoiceTask> tasks = ChoiceTask.Read(file);
            foreach (string name in names)
            {
                var evaluation = new ChoiceEvaluation(models.Open(name), parsed.GetValue(Style) == "arc" ? ChoiceStyle.Lines : ChoiceStyle.OneLine);
                string by = parsed.GetValue(By)!;
                results.Add(new ChoiceResult(name, Path.GetFileName(file), tasks.Count, evaluation.CountSkipped(tasks),
                    by == "likelihood" ? null : await evaluation.SampleAsync(tasks, parsed.GetValue(Runs), (ulong)parsed.GetValue(Seed), cancellation),
                    by == "sampling" ? null : await evaluation.RankAsync(tasks, cancellation),
                    tasks.Average(task => 1.0 / task.Choices.Count)));
            }
        }
        return results;
    }

    private static string Read(string file, int maxChars)
    {
        string text = File.ReadAllText(file);
        if (maxChars == 0 || text.Length <= maxChars)
            return text;
        return text[..(char.IsHighSurrogate(text[maxChars - 1]) ? maxChars - 1 : maxChars)];
    }

    // A line that is written over, for whoever watches.
    private static Action<double> Progress(string file)
    {
        if (Console.IsErrorRedirected)
            return _ => { };
        return share => Console.Error.Write(share < 1 ? $"\r{file}: {share:P0} " : "\r\u001b[K");
    }

    private static void Write(EvaluationReport report, string format)
    {
        if (format == "json")
            report.WriteJson(Console.Out);
        else if (format == "markdown")
            report.WriteMarkdown(Console.Out);
        else
            report.WriteTable(Console.Out);
    }

    private static bool IsTask(string file) => file.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase);

    private static void Inside(OptionResult result, int least, int most)
    {
        int value = result.GetValueOrDefault<int>();
        if (value < least || value > most)
            result.AddError($"{result.Option.Name} must be {least} to {most}.");
    }
}

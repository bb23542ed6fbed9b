using System.CommandLine;
using System.Text.Json;
using Serving.Inference.Checkpoints;
using Serving.Server.Json;

namespace Serving.Server.CommandLine;

/// <summary>The verb <c>inspect</c>: tells what a model folder holds, without running it.</summary>
internal static class InspectCommand
{
    private static readonly Argument<string[]> Folders = new("dir")
    {
        Description = "A model's folder: config.json, tokenizer.json and the weights. Of several, or of a folder of models: what they share.",
        HelpName = "DIR",
        Arity = ArgumentArity.OneOrMore,
    };

    private static readonly Option<bool> Json = new("--json") { Description = "Write JSON with every name." };

    private static readonly Option<string?> Calibrate = new("--calibrate")
    {
        Description = "Find out what the files do not say, such as the pairing of rotary positions, by scoring a text of the kind that the "
            + "model was trained on; what is clear is written into serving.json.",
        HelpName = "TEXT",
    };

    private static readonly Option<bool> Check = new("--check")
    {
        Description = "Read all weights: tell of values that are NaN or infinite, and of bytes that are not those that 'convert' wrote. "
            + "Exit code 3 if there are any.",
    };

    public static Command Create()
    {
        var command = new Command("inspect", """
            Tells what a model folder holds: architecture, tensors, table, tokenizer, memory, and anything odd.

            Example:
              inspect models/glyph-en
              inspect models
              inspect downloads/best_bvv_ru --calibrate russian.txt
              inspect models --check
            """)
        {
            Folders, Json, Calibrate, Check, CommonOptions.Verbose,
        };
        command.SetAction(parsed => parsed.GetValue(Check)
            ? CheckRun.Run(ModelFolders.Find(parsed.GetValue(Folders)!), parsed.GetValue(Json))
            : Run(parsed.GetValue(Folders)!, parsed.GetValue(Json), parsed.GetValue(Calibrate)));
        return command;
    }

    private static int Run(string[] folders, bool asJson, string? text)
    {
        IReadOnlyList<string> models = ModelFolders.Find(folders);
        if (text is not null)
        {
            return models.Count == 1 ? CalibrationRun.Run(models[0], text) : throw new CommandLineException(
                ExitCode.Usage, "One model is calibrated at a time.", "--calibrate", "Name the folder of one model.");
        }
        if (models.Count == 1)
            return Run(models[0], asJson, Console.Out);
        using var progress = new ProgressBar("compare");
        SharingReport report = SharingReport.Of(models, progress);
        progress.Dispose();
        if (asJson)
            Console.WriteLine(JsonSerializer.Serialize(report, ReportJson.Options));
        else
            SharingText.Write(Console.Out, report);
        return ExitCode.Ok;
    }

    private static int Run(string folder, bool asJson, TextWriter output)
    {
        string path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        CheckpointContents tensors = ContentsOf(path);
        try
        {
            using LoadedModel model = ModelFolders.Load(path);
            Write(output, Inspection.Of(tensors, model), asJson);
            return ExitCode.Ok;
        }
        catch (Exception fault) when (fault is CheckpointException or Glyphs.Tokens.TokenizerFormatException)
        {
            // What is wrong goes where all errors go; what could be read helps to mend it.
            Write(output, new Inspection { Path = path, Tensors = tensors }, asJson);
            throw;
        }
    }

    private static CheckpointContents ContentsOf(string path)
    {
        using CheckpointFolder checkpoint = CheckpointFolder.Open(path);
        return CheckpointContents.Of(checkpoint.Tensors.Values);
    }

    private static void Write(TextWriter output, Inspection inspection, bool asJson)
    {
        if (asJson)
            output.WriteLine(JsonSerializer.Serialize(inspection, ReportJson.Options));
        else
            InspectionText.Write(output, inspection);
    }
}

using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization;
using Serving.Inference.Checkpoints;

namespace Serving.Server.CommandLine;

/// <summary>The verb <c>inspect</c>: tells what a model folder holds, without running it.</summary>
internal static class InspectCommand
{
    private static readonly JsonSerializerOptions Format = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
        WriteIndented = true,
    };

    private static readonly Argument<string> Folder = new("dir")
    {
        Description = "The model's folder: config.json, tokenizer.json and the weights.",
        HelpName = "DIR",
    };

    private static readonly Option<bool> Json = new("--json") { Description = "Write JSON with every name." };

    public static Command Create()
    {
        var command = new Command("inspect", """
            Tells what a model folder holds: architecture, tensors, table, tokenizer, memory, and anything odd.

            Example:
              inspect models/glyph-en
            """)
        {
            Folder, Json, CommonOptions.Verbose,
        };
        command.SetAction(parsed => Run(parsed.GetValue(Folder)!, parsed.GetValue(Json), Console.Out));
        return command;
    }

    private static int Run(string folder, bool asJson, TextWriter output)
    {
        if (!File.Exists(Path.Combine(folder, "config.json")))
        {
            throw new CommandLineException(ExitCode.NotFound, "There is no such folder, or no model in it.", folder,
                "Name the folder of one model: the one with its config.json.");
        }
        string path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        CheckpointContents tensors = ContentsOf(path);
        try
        {
            using LoadedModel model = LoadedModel.Load(
                ModelsRoot.Scan(Path.GetDirectoryName(path) ?? path), new ModelFolder(Path.GetFileName(path), path));
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
            output.WriteLine(JsonSerializer.Serialize(inspection, Format));
        else
            InspectionText.Write(output, inspection);
    }
}

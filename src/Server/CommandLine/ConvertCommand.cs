using System.CommandLine;
using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu;

namespace Serving.Server.CommandLine;

/// <summary>The verb <c>convert</c>: writes a model as one clean safetensors folder.</summary>
internal static class ConvertCommand
{
    private static readonly Argument<string> Folder = new("dir")
    {
        Description = "The model's folder: safetensors or PyTorch files, whole or in shards, with any names that 'inspect' knows.",
        HelpName = "DIR",
    };

    private static readonly Option<string> Out = new("--out")
    {
        Description = "The folder to write; it must not exist.",
        Required = true,
        HelpName = "DIR",
    };

    public static Command Create()
    {
        var command = new Command("convert", """
            Writes a model as one clean folder: model.safetensors with the usual names and the table inside, config.json,
            tokenizer. Values keep their type and their bits, unless --quantize int8 halves the matrices.

            Example:
              convert downloads/best_bvv_moe --out models/best_bvv_moe
            """)
        {
            Folder, Out, CommonOptions.Quantize, CommonOptions.Verbose,
        };
        command.SetAction(parsed => Run(parsed.GetValue(Folder)!, parsed.GetValue(Out)!, parsed.GetValue(CommonOptions.Quantize)));
        return command;
    }

    private static int Run(string folder, string target, Quantization quantization)
    {
        if (Path.Exists(target))
            throw new CommandLineException(ExitCode.Usage, "The folder to write exists.", target, "Name a new one, or remove it first.");
        using LoadedModel model = ModelFolders.Load(folder);
        using (var progress = new ProgressBar("convert"))
            OutputFolder.Write(target, () => CleanCheckpoint.Write(model, target, quantization == Quantization.EightBits, progress));
        string type = quantization == Quantization.EightBits ? "int8" : model.DType;
        Console.Error.WriteLine($"{target}: {model.Parameters:N0} parameters, {type}");
        return ExitCode.Ok;
    }
}

using Serving.Inference.Checkpoints;

namespace Serving.Server.CommandLine;

/// <summary>Models that a command line names by their folders.</summary>
internal static class ModelFolders
{
    /// <summary>Opens the model of a folder; its siblings' substrates are at hand.</summary>
    /// <exception cref="CommandLineException">There is none.</exception>
    /// <exception cref="CheckpointException">It cannot be read.</exception>
    public static LoadedModel Load(string folder)
    {
        if (!IsModel(folder))
        {
            throw new CommandLineException(ExitCode.NotFound, "There is no such folder, or no model in it.", folder,
                "Name the folder of one model: the one with its config.json.");
        }
        string path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        return LoadedModel.Load(ModelsRoot.Scan(Path.GetDirectoryName(path) ?? path), new ModelFolder(Path.GetFileName(path), path));
    }

    /// <summary>The models that folders are or hold, in their order.</summary>
    /// <exception cref="CommandLineException">A folder is neither.</exception>
    public static IReadOnlyList<string> Find(IEnumerable<string> folders) =>
        [.. folders.SelectMany(folder => IsModel(folder) ? [folder] : ModelsIn(folder)).Distinct()];

    private static string[] ModelsIn(string folder)
    {
        string[] models = Directory.Exists(folder)
            ? [.. Directory.EnumerateDirectories(folder).Where(IsModel).Order(StringComparer.Ordinal)]
            : [];
        return models.Length > 0 ? models : throw new CommandLineException(ExitCode.NotFound,
            "There is no such folder, or no model in it.", folder, "Name the folder of a model, the one with its config.json, or a folder of models.");
    }

    private static bool IsModel(string folder) => File.Exists(Path.Combine(folder, "config.json"));
}

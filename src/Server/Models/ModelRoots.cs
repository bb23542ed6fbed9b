using Serving.Inference.Checkpoints;
using Serving.Server.CommandLine;

namespace Serving.Server.Models;

/// <summary>Finds the folders of models.</summary>
internal static class ModelRoots
{
    private const string DefaultFolder = "models";
    private const StringSplitOptions Trimmed = StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries;

    /// <summary>Lists the models of the given folders; loads nothing.</summary>
    /// <param name="folders">Folders separated like PATH; null looks for <c>models</c> in the working folder, beside the
    /// program, and in all folders above the two.</param>
    /// <param name="include">Models to take, separated by commas; null = all.</param>
    /// <exception cref="CommandLineException">A folder is missing, there is no model in any, or one to take is missing.</exception>
    public static ModelCatalog Open(string? folders, string? include = null)
    {
        string[] paths = string.IsNullOrWhiteSpace(folders)
            ? [FindDefault()]
            : [.. folders.Split(Path.PathSeparator, Trimmed).Select(Path.GetFullPath)];
        if (paths.FirstOrDefault(path => !Directory.Exists(path)) is { } missing)
            throw NotFound("There is no such folder of models.", missing);
        ModelsRoot[] roots = [.. paths.Distinct().Select(ModelsRoot.Scan)];
        string places = string.Join(Path.PathSeparator, paths);
        if (roots.All(root => root.Models.Count == 0))
            throw NotFound("There is no model: a model is a folder with a config.json.", places);
        if (string.IsNullOrWhiteSpace(include))
            return new ModelCatalog(roots);
        string[] included = include.Split(',', Trimmed);
        string[] all = [.. roots.SelectMany(root => root.Models).Select(model => model.Id)];
        return included.Except(all).FirstOrDefault() is { } unknown
            ? throw NotFound($"There is no model '{unknown}' to include; there are {string.Join(", ", all)}.", places)
            : new ModelCatalog(roots, included.Contains);
    }

    private static string FindDefault() =>
        FoldersAbove(Directory.GetCurrentDirectory()).Concat(FoldersAbove(AppContext.BaseDirectory))
            .Select(folder => Path.Combine(folder, DefaultFolder))
            .FirstOrDefault(HoldsModels)
        ?? throw NotFound("There is no folder 'models' with a model in it.",
            $"{Directory.GetCurrentDirectory()}, {AppContext.BaseDirectory} and the folders above them");

    private static IEnumerable<string> FoldersAbove(string folder)
    {
        for (DirectoryInfo? current = new(folder); current is not null; current = current.Parent)
            yield return current.FullName;
    }

    private static bool HoldsModels(string folder) =>
        Directory.Exists(folder)
        && Directory.EnumerateDirectories(folder).Any(child => File.Exists(Path.Combine(child, "config.json")));

    private static CommandLineException NotFound(string what, string where) => new(
        ExitCode.NotFound, what, where, "Name a folder of models with --models DIR or the setting Serving:Models.");
}

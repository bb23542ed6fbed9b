using System.Text.Json;
using Serving.Inference.Checkpoints;
using Serving.Server.Json;

namespace Serving.Server.Ensembles;

/// <summary><c>ensembles.json</c> of a folder of models: the ensembles that have a name.</summary>
internal static class EnsemblesFile
{
    private const string FileName = "ensembles.json";
    private const string Form =
        """an object such as {"both": {"experts": [{"model": "a", "weight": 1}, {"model": "b"}], "combine": "logits"}}""";

    /// <summary>The ensembles of a folder; none if it has no such file.</summary>
    /// <exception cref="CheckpointException">The file is not what it must be.</exception>
    public static IReadOnlyList<Ensemble> Read(string folder)
    {
        string path = Path.Combine(folder, FileName);
        return File.Exists(path) ? [.. Parse(path).Select(entry => Check(path, entry.Key, entry.Value))] : [];
    }

    private static Dictionary<string, EnsembleDefinition?> Parse(string path)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), ServerJson.Contracts.DictionaryStringEnsembleDefinition)
                ?? throw new CheckpointException(path, "file", Form, "null");
        }
        catch (JsonException fault)
        {
            string found = fault.Message.Split(" Path: ", 2)[0].TrimEnd('.');
            throw new CheckpointException(path, fault.Path ?? "file", Form, found, inner: fault);
        }
    }

    private static Ensemble Check(string path, string name, EnsembleDefinition? definition)
    {
        if (!EnsembleRules.IsName(name))
        {
            throw new CheckpointException(path, "name", EnsembleRules.NameForm, $"'{name}'",
                "A name with '+' would be a sum of models.");
        }
        if (definition is null)
            throw new CheckpointException(path, $"'{name}'", Form, "null");
        foreach (string field in definition.UnknownFields())
        {
            throw new CheckpointException(
                path, $"'{name}'", "only experts (of model and weight) and combine", $"'{field}'", "Mend its name or remove it.");
        }
        foreach (EnsembleRules.Breach breach in EnsembleRules.Breaches(definition))
            throw new CheckpointException(path, $"'{name}.{breach.Path}'", breach.Expected, breach.Found);
        (IReadOnlyList<Expert> experts, Inference.Ensembles.EnsembleRule rule) = EnsembleRules.Read(definition);
        return new Ensemble(name, experts, rule);
    }
}

using Serving.Testing;

namespace Serving.Server.Tests.Ensembles;

/// <summary>A folder of models that lives as long as a test: copies of the small checkpoints under other names.</summary>
internal sealed class ExpertsFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("serving-experts-").FullName;

    /// <summary>The setting that makes a server use it.</summary>
    public string Setting => $"Models={Path}";

    /// <summary>Two experts "a" and "b", one of another tokenizer, and one that cannot be loaded.</summary>
    public static ExpertsFolder Create()
    {
        var folder = new ExpertsFolder();
        folder.Copy("plain", "a");
        folder.Copy("interleaved", "b");
        folder.Copy("plain", "stranger");
        folder.Copy("plain", "broken");
        System.IO.File.WriteAllText(folder.File("broken", "model.safetensors"), "not a tensor");
        string tokenizer = folder.File("stranger", "tokenizer.json");
        System.IO.File.WriteAllText(tokenizer, System.IO.File.ReadAllText(tokenizer).Replace("\"A\": ", "\"中\": ", StringComparison.Ordinal));
        return folder;
    }

    public string File(params string[] names) => System.IO.Path.Combine([Path, .. names]);

    public ExpertsFolder WithEnsembles(string json)
    {
        System.IO.File.WriteAllText(File("ensembles.json"), json);
        return this;
    }

    /// <summary>Adds a copy of a small checkpoint.</summary>
    public void Copy(string checkpoint, string id)
    {
        Directory.CreateDirectory(File(id));
        foreach (string file in Directory.EnumerateFiles(TestData.Path("checkpoints", checkpoint)))
            System.IO.File.Copy(file, File(id, System.IO.Path.GetFileName(file)));
    }

    public void Write(string id, string file, string text) => System.IO.File.WriteAllText(File(id, file), text);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu;
using Serving.Inference.Tests.Checkpoints;
using Serving.Testing;

namespace Serving.Inference.Tests.Ensembles;

/// <summary>A checkpoint of several experts in one file, written apart into one folder for each.</summary>
internal sealed class ExpertsOfFusedCheckpoint : IDisposable
{
    private readonly TempFolder _folder = new();

    /// <summary>The expert with this number, from a folder of its own.</summary>
    public CpuBackend Create(int expert)
    {
        string fused = TestData.Path("checkpoints", "moe");
        foreach (string file in (string[])["config.json", "tokenizer.json"])
            _folder.Write(Path.Combine($"{expert}", file), File.ReadAllBytes(Path.Combine(fused, file)));
        using (SafetensorsFile source = SafetensorsFile.Open(Path.Combine(fused, "model.safetensors")))
            Part(source, $"experts.{expert}.").Save(Path.Combine(_folder.Path, $"{expert}", "model.safetensors"));
        ModelsRoot root = ModelsRoot.Scan(_folder.Path);
        using LoadedModel model = LoadedModel.Load(root, root.Models.Single(model => model.Id == $"{expert}"));
        return new CpuBackend(model.Weights, new CpuOptions { Threads = 1, KvBlocks = 8 });
    }

    public void Dispose() => _folder.Dispose();

    private static SafetensorsWriter Part(SafetensorsFile source, string prefix)
    {
        var part = new SafetensorsWriter();
        foreach ((string name, Tensor tensor) in source.Tensors.Where(entry => entry.Key.StartsWith(prefix, StringComparison.Ordinal)))
            part.Add(tensor.Named(name[prefix.Length..]));
        return part;
    }
}

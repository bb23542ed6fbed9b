using System.Text.RegularExpressions;
using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu;
using Serving.Inference.Ensembles;
using Serving.Inference.Tests.Checkpoints;
using Serving.Testing;

namespace Serving.Inference.Tests.Cpu;

/// <summary>The golden checkpoint of two experts, its tensors named in all the ways such files might be.</summary>
public sealed class FusedCheckpointTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("experts.$1.$2")]
    [InlineData("model$1.$2")]
    [InlineData("models.$1.model.$2")]
    [InlineData("module.expert_$1.$2")]
    public void Forward_AnyPrefix_GivesTheReferencesMean(string pattern) =>
        AssertGolden(name => Regex.Replace(name, @"^experts\.(\d)\.(.+)$", pattern));

    [Fact]
    public void Forward_ParallelLists_GiveTheReferencesMean() =>
        AssertGolden(name => Regex.Replace(name, @"^experts\.(\d)\.(\w+)\.", "$2_$1."));

    [Fact]
    public void Forward_TableStoredOnce_GivesTheReferencesMean() => AssertGolden(name => name switch
    {
        "experts.0.token_embeddings.weight" => "token_embeddings.weight",
        "experts.1.token_embeddings.weight" => null,
        _ => name,
    });

    [Fact]
    public void Load_EqualTablesOfAllExperts_AreOneObject()
    {
        using LoadedModel model = GoldenCheckpoint.Load("moe");
        Assert.Equal(2, model.Experts.Count);
        Assert.Same(model.Experts[0].Table, model.Experts[1].Table);
        // Counted apart with numpy: 2 x 33,664 values of the experts, 256 x 32 of the table.
        Assert.Equal((2 * 33_664) + 8192, model.Parameters);
    }

    private void AssertGolden(Func<string, string?> rename)
    {
        _folder.Copy(TestData.Path("checkpoints", "moe"), "moe");
        string path = Path.Combine(_folder.Path, "moe", "model.safetensors");
        var renamed = new SafetensorsWriter();
        using (SafetensorsFile source = SafetensorsFile.Open(TestData.Path("checkpoints", "moe", "model.safetensors")))
        {
            foreach (Tensor tensor in source.Tensors.Values)
            {
                if (rename(tensor.Name) is { } name)
                    renamed.Add(tensor.Named(name));
            }

            renamed.Save(path);
        }

        ModelsRoot root = ModelsRoot.Scan(_folder.Path);
        using LoadedModel model = LoadedModel.Load(root, Assert.Single(root.Models));
        using var weights = new CpuExperts(model, new CpuOptions { Threads = 1, KvBlocks = 8 });
        using IBackend backend = weights.NewBackend();
        Assert.IsType<LogitEnsemble>(backend);
        foreach (GoldenCheckpoint.Case expected in GoldenCheckpoint.Cases("moe"))
        {
            float[] logits = new Sequence(backend, [5, 0, 7]).Run(expected.Ids, 16)[^1];
            Assert.All(expected.LastLogits.Zip(logits), pair => Assert.Equal(pair.First, pair.Second, 1e-4f));
        }
    }
}

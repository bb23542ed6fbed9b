using System.Text.Json.Nodes;
using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu;
using Serving.Inference.Tests.Cpu;
using Serving.Testing;

namespace Serving.Inference.Tests.Checkpoints;

public sealed class CleanCheckpointTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public static TheoryData<string> Variants() => [.. GoldenCheckpoint.Root.Models.Select(model => model.Id)];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Variants))]
    public void Write_GoldenCheckpoint_IsOneCleanFolderOfTheSameBits(string variant)
    {
        string target = Path.Combine(_folder.Path, "clean");
        using LoadedModel model = GoldenCheckpoint.Load(variant);
        CleanCheckpoint.Write(model, target);
        using LoadedModel clean = Load("clean");
        Assert.Equal(["config.json", "model.safetensors", "tokenizer.json"], Directory.EnumerateFiles(target).Select(Path.GetFileName).Order());
        Assert.Equal((model.Parameters, model.DType, model.Bytes), (clean.Parameters, clean.DType, clean.Bytes));
        Assert.Equal(Logits(model), Logits(clean));
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(target, "model.safetensors"));
        Assert.All(file.Tensors.Keys, name => Assert.Matches(@"^(experts\.\d\.)?((token_embeddings|transformer_layers|final_layernorm|lm_head)\.|code_(matrix|offset)$)", name));
        Assert.Equal(variant is "tablefree" or "affine" ? 0 : 1, file.Tensors.Keys.Count(name => name.EndsWith("token_embeddings.weight", StringComparison.Ordinal)));
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void Write_ToEightBits_AnswersAsIfQuantizedAtLoad(string variant)
    {
        using LoadedModel model = GoldenCheckpoint.Load(variant);
        CleanCheckpoint.Write(model, Path.Combine(_folder.Path, "small"), toEightBits: true);
        using LoadedModel small = Load("small");
        Assert.Equal(("int8", model.Parameters), (small.DType, small.Parameters));
        Assert.All(small.Experts, expert => Assert.True(expert.IsQuantized));
        float[][] expected = Logits(model, Quantization.EightBits);
        Assert.Equal(expected, Logits(small));
        Assert.Equal(expected, Logits(small, Quantization.EightBits));
        Assert.NotEqual(expected, Logits(model));
        Assert.Equal(CpuMemory.Of(model, Quantization.EightBits), CpuMemory.Of(small));

        CleanCheckpoint.Write(small, Path.Combine(_folder.Path, "again"), toEightBits: true);
        Assert.Equal(File.ReadAllBytes(Path.Combine(_folder.Path, "small", "model.safetensors")), File.ReadAllBytes(Path.Combine(_folder.Path, "again", "model.safetensors")));
    }

    [Fact]
    public void Write_CodeOfTheOperator_BecomesPartOfTheConfig()
    {
        _folder.Copy(TestData.Path("checkpoints", "tablefree"), "coded");
        string[] rows = [.. Enumerable.Range(0, 16).Select(i => new string('0', 15 - i) + "1" + new string('0', i))];
        _folder.Write("coded/serving.json", $$"""{"code_matrix": ["{{string.Join("\", \"", rows)}}"], "code_offset": "1000000000000001"}""");
        using LoadedModel coded = Load("coded"), plain = GoldenCheckpoint.Load("tablefree");
        Assert.NotEqual(Logits(plain), Logits(coded));
        Assert.Equal(plain.Table.Row(5).ToArray().Reverse().Select((bit, i) => i is 0 or 15 ? 1 - bit : bit), coded.Table.Row(5).ToArray());
        CleanCheckpoint.Write(coded, Path.Combine(_folder.Path, "clean"));
        using LoadedModel clean = Load("clean");
        Assert.Equal(Logits(coded), Logits(clean));
    }

    [Fact]
    public void Write_Overrides_BecomePartOfTheConfig()
    {
        _folder.Copy(TestData.Path("checkpoints", "plain"), "odd");
        _folder.Write("odd/serving.json", """
            {"rope_pairing": "interleaved", "norm": "layer", "norm_epsilon": 1e-3, "activation": "gelu_tanh", "n_head": 4,
             "names": {"lm_head.bias": "head.bias"}}
            """);
        using LoadedModel odd = Load("odd");
        CleanCheckpoint.Write(odd, Path.Combine(_folder.Path, "clean"));
        using LoadedModel clean = Load("clean");
        Assert.Equal((RopePairing.Interleaved, NormKind.Layer, 1e-3f, Activation.GeluTanh, 4),
            (clean.Weights.RopePairing, clean.Weights.Norm, clean.Weights.NormEpsilon, clean.Weights.Activation, clean.Weights.Heads));
        Assert.Equal(Logits(odd), Logits(clean));
    }

    [Fact]
    public void Write_ModelOnASubstrate_StandsAlone()
    {
        ModelsRoot bundled = ModelsRoot.Scan(Path.Combine(TestData.RepositoryRoot, "models"));
        using LoadedModel model = LoadedModel.Load(bundled, bundled.Models.Single(model => model.Id == "glyph-en"));
        CleanCheckpoint.Write(model, Path.Combine(_folder.Path, "clean"));
        using LoadedModel clean = Load("clean");
        Assert.Equal(TableSource.Checkpoint, clean.Weights.TableSource);
        Assert.Same(model.Table, clean.Table);
    }

    [Fact]
    public void Write_FolderExists_IsRefusedAndUntouched()
    {
        _folder.Write("there/mine.txt", "mine");
        using LoadedModel model = GoldenCheckpoint.Load("plain");
        Assert.Throws<IOException>(() => CleanCheckpoint.Write(model, Path.Combine(_folder.Path, "there")));
        Assert.Equal("mine.txt", Path.GetFileName(Assert.Single(Directory.EnumerateFileSystemEntries(Path.Combine(_folder.Path, "there")))));
    }

    [Fact]
    public void Write_SourceCutShortMeanwhile_LeavesNothingBehind()
    {
        _folder.Copy(TestData.Path("checkpoints", "plain"), "cut");
        using LoadedModel model = Load("cut");
        using (var weights = new FileStream(Path.Combine(_folder.Path, "cut", "model.safetensors"), FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            weights.SetLength(weights.Length / 2);
        Assert.Throws<CheckpointException>(() => CleanCheckpoint.Write(model, Path.Combine(_folder.Path, "clean")));
        Assert.Equal("cut", Path.GetFileName(Assert.Single(Directory.EnumerateFileSystemEntries(_folder.Path))));
    }

    [Fact]
    public void Write_ConfigAndExtraKeys_AreKept()
    {
        _folder.Copy(TestData.Path("checkpoints", "plain"), "m");
        using LoadedModel model = Load("m");
        CleanCheckpoint.Write(model, Path.Combine(_folder.Path, "clean"));
        JsonNode before = JsonNode.Parse(File.ReadAllText(Path.Combine(_folder.Path, "m", "config.json")))!;
        JsonNode after = JsonNode.Parse(File.ReadAllText(Path.Combine(_folder.Path, "clean", "config.json")))!;
        Assert.True(JsonNode.DeepEquals(before, after));
    }

    private LoadedModel Load(string id)
    {
        ModelsRoot root = ModelsRoot.Scan(_folder.Path);
        return LoadedModel.Load(root, root.Models.Single(model => model.Id == id));
    }

    private static float[][] Logits(LoadedModel model, Quantization quantization = Quantization.None)
    {
        using var weights = new CpuExperts(model, 1, quantization);
        using IBackend backend = weights.NewBackend(new CpuOptions { Threads = 1, KvBlocks = 4 });
        return new Sequence(backend, [0, 1]).Run([5, 99, 200, 7, 31, 255, 0, 18], 3);
    }
}

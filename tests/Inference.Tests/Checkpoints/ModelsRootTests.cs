using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;
using Serving.Glyphs.Embeddings;
using Serving.Inference.Checkpoints;
using Serving.Testing;

namespace Serving.Inference.Tests.Checkpoints;

public sealed class ModelsRootTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Scan_FolderOfModels_ListsThoseWithAConfig()
    {
        _folder.Write("zeta/config.json", "{}");
        _folder.Write("Alpha/config.json", "{}");
        _folder.Write("empty/readme.txt", "");
        _folder.Write("substrates/glyphs/table.json", "{}");
        Assert.Equal(["Alpha", "zeta"], ModelsRoot.Scan(_folder.Path).Models.Select(model => model.Id));
    }

    [Fact]
    public void Scan_NoFolder_IsRefused() => Assert.Throws<CheckpointException>(() => ModelsRoot.Scan("/no/such/folder"));

    [Fact]
    public void Load_PlainCheckpoint_DescribesIt()
    {
        var root = ModelsRoot.Scan(TestData.Path("checkpoints"));
        using LoadedModel model = Load(root, "plain");

        // V (d + d + 1) + 2 (12 d² + 9 d) + 2 d
        const long Parameters = (256 * 65) + (2 * ((12 * 32 * 32) + (9 * 32))) + 64;
        Assert.Equal(Parameters, model.Parameters);
        Assert.Equal(4 * Parameters, model.Bytes);
        Assert.Equal("float32", model.DType);
        Assert.Equal(TableSource.Checkpoint, model.Weights.TableSource);
        Assert.Equal(TestData.Path("checkpoints", "plain", "tokenizer.json"), model.TokenizerPath);
        Assert.Equal("</s>", model.Config.EndToken);
        Assert.Empty(model.Weights.Notes);
    }

    [Fact]
    public void Load_ModelsWithEqualTables_ShareOneObject()
    {
        var root = ModelsRoot.Scan(TestData.Path("checkpoints"));
        using LoadedModel plain = Load(root, "plain"), hybrid = Load(root, "hybrid"), narrow = Load(root, "narrow");
        Assert.Same(plain.Table, hybrid.Table);
        Assert.NotSame(plain.Table, narrow.Table);
    }

    [Fact]
    public void Load_ModelsOnASubstrate_ShareItsTableAndTokenizer()
    {
        FrozenTable table = PutModelsOnSubstrate(fingerprint: null);
        var root = ModelsRoot.Scan(_folder.Path);
        using LoadedModel one = Load(root, "one"), two = Load(root, "two");
        Assert.Equal(TableSource.Substrate, one.Weights.TableSource);
        Assert.Same(one.Table, two.Table);
        Assert.True(one.Table.HasBitsOf(table));
        Assert.Equal("test", one.Substrate!.Recipe);
        Assert.Equal(Path.Combine(_folder.Path, "substrates", "glyphs", "tokenizer.json"), one.TokenizerPath);
    }

    [Fact]
    public void FindSubstrate_EveryBundledOne_IsWhatItClaims()
    {
        string models = Path.Combine(TestData.RepositoryRoot, "models");
        var root = ModelsRoot.Scan(models);
        foreach (string folder in Directory.GetDirectories(Path.Combine(models, "substrates")))
        {
            Substrate substrate = root.FindSubstrate(Substrate.ClaimedFingerprint(folder)!);
            Assert.Equal(folder, substrate.Path);
            Assert.NotNull(substrate.TokenizerPath);
            Assert.Same(substrate, root.FindSubstrate(substrate.Table.Fingerprint));
        }
    }

    [Fact]
    public void Load_SubstrateThatIsNotThere_SaysSo()
    {
        PutModelsOnSubstrate(fingerprint: null);
        Directory.Delete(Path.Combine(_folder.Path, "substrates"), recursive: true);
        var root = ModelsRoot.Scan(_folder.Path);
        Assert.Contains("fingerprint", Assert.Throws<CheckpointException>(() => Load(root, "one")).Message);
    }

    [Fact]
    public void Load_SubstrateWithAnotherTable_IsRefused()
    {
        PutModelsOnSubstrate("sha256:" + new string('0', 64));
        var root = ModelsRoot.Scan(_folder.Path);
        Assert.Equal("key 'fingerprint'", Assert.Throws<CheckpointException>(() => Load(root, "one")).Subject);
    }

    [Fact]
    public void Load_NoTokenizerAnywhere_IsRefused()
    {
        _folder.Copy(TestData.Path("checkpoints", "plain"), "one");
        File.Delete(Path.Combine(_folder.Path, "one", "tokenizer.json"));
        var root = ModelsRoot.Scan(_folder.Path);
        Assert.Contains("tokenizer.json", Assert.Throws<CheckpointException>(() => Load(root, "one")).Message);
    }

    // Two copies of the table-free checkpoint, set on a table; its config claims the given fingerprint instead of the true one.
    private FrozenTable PutModelsOnSubstrate(string? fingerprint)
    {
        float[] values = [.. Enumerable.Range(0, 256 * 8).Select(i => MathF.Sin(i))];
        var table = new FrozenTable(256, 8, values);
        fingerprint ??= table.Fingerprint;
        _folder.WriteSafetensors("substrates/glyphs/table.safetensors",
            Encoding.UTF8.GetBytes("""{"embeddings":{"dtype":"F32","shape":[256,8],"data_offsets":[0,8192]}}"""),
            MemoryMarshal.AsBytes(values.AsSpan()));
        _folder.Write("substrates/glyphs/table.json",
            $$"""{"recipe": "test", "fingerprint": "{{fingerprint}}", "explained_variance": [0.5, 0.25]}""");
        _folder.Write("substrates/glyphs/tokenizer.json", File.ReadAllBytes(TestData.Path("checkpoints", "plain", "tokenizer.json")));
        foreach (string name in (string[])["one", "two"])
        {
            _folder.Copy(TestData.Path("checkpoints", "tablefree"), name);
            File.Delete(Path.Combine(_folder.Path, name, "tokenizer.json"));
            string path = Path.Combine(_folder.Path, name, "config.json");
            JsonNode config = JsonNode.Parse(File.ReadAllText(path))!;
            config["substrate"] = fingerprint;
            File.WriteAllText(path, config.ToJsonString());
        }

        return table;
    }

    private static LoadedModel Load(ModelsRoot root, string id) => LoadedModel.Load(root, root.Models.Single(model => model.Id == id));
}

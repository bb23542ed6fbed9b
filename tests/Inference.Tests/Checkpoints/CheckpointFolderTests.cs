using System.Text.Json.Nodes;
using Serving.Inference.Checkpoints;
using Serving.Testing;

namespace Serving.Inference.Tests.Checkpoints;

public sealed class CheckpointFolderTests : IDisposable
{
    private const string Index = "model.safetensors.index.json";
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Open_Shards_GivesTheSameTensorsAsOneFile()
    {
        using CheckpointFolder one = CheckpointFolder.Open(TestData.Path("checkpoints", "plain"));
        using CheckpointFolder shards = CheckpointFolder.Open(TestData.Path("checkpoints", "sharded"));
        Assert.Equal(one.Tensors.Keys.Order(), shards.Tensors.Keys.Order());
        Assert.All(one.Tensors, pair => Assert.Equal(pair.Value.ToFloats(), shards.Tensors[pair.Key].ToFloats()));
    }

    [Theory]
    [InlineData("../model-00001-of-00002.safetensors")]
    [InlineData("/etc/passwd.safetensors")]
    [InlineData("..safetensors")]
    [InlineData("a\\b.safetensors")]
    [InlineData("model-00001-of-00002.bin")]
    [InlineData("")]
    public void Open_ShardOutsideTheFolder_IsRefused(string shard)
    {
        EditIndex(map => map["lm_head.weight"] = shard);
        Assert.Contains("plain file name", Assert.Throws<CheckpointException>(() => CheckpointFolder.Open(_folder.Path)).Message);
    }

    [Fact]
    public void Open_MissingShard_NamesIt()
    {
        EditIndex(map => map["lm_head.weight"] = "model-00003-of-00002.safetensors");
        Assert.Contains("model-00003", Assert.Throws<CheckpointException>(() => CheckpointFolder.Open(_folder.Path)).Message);
    }

    [Fact]
    public void Open_TensorNotInItsShard_NamesIt()
    {
        EditIndex(map => map["lm_head.weight"] = "model-00002-of-00002.safetensors");
        Assert.Contains("'lm_head.weight'", Assert.Throws<CheckpointException>(() => CheckpointFolder.Open(_folder.Path)).Message);
    }

    [Fact]
    public void Open_TensorInTwoShards_NamesIt()
    {
        EditIndex(map => map["x"] = "z.safetensors");
        _folder.WriteSafetensors("z.safetensors", """{"lm_head.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 4);
        Assert.Contains("'lm_head.weight'", Assert.Throws<CheckpointException>(() => CheckpointFolder.Open(_folder.Path)).Message);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("{\"weight_map\": []}")]
    [InlineData("{\"weight_map\": {}}")]
    [InlineData("{\"weight_map\": {\"a\": 1}}")]
    [InlineData("{\"weight_map\": {\"a\": \"x.safetensors\", \"a\": \"y.safetensors\"}}")]
    [InlineData("{\"weight_map\": {\"\\ud800\": \"x.safetensors\"}}")]
    [InlineData("{\"weight_map\": {\"a\": \"\\ud800\"}}")]
    public void Open_BadIndex_IsRefused(string index)
    {
        _folder.Write("config.json", "{}");
        _folder.Write(Index, index);
        Assert.Throws<CheckpointException>(() => CheckpointFolder.Open(_folder.Path));
    }

    [Fact]
    public void Open_PickleBesideSafetensors_IsNotRead()
    {
        _folder.Copy(TestData.Path("checkpoints", "plain"), "");
        _folder.Write("pytorch_model.bin", "no archive");
        using CheckpointFolder checkpoint = CheckpointFolder.Open(_folder.Path);
        Assert.All(checkpoint.Tensors.Values, tensor => Assert.EndsWith("model.safetensors", tensor.Path));
    }

    [Fact]
    public void Open_PickleShards_GivesTheTensorsOfAll()
    {
        _folder.Copy(TestData.Path("checkpoints", "pickle"), "");
        File.Move(Path.Combine(_folder.Path, "pytorch_model.bin"), Path.Combine(_folder.Path, "pytorch_model-00001-of-00001.bin"));
        _folder.Write("pytorch_model.bin.index.json", """{"weight_map":{"lm_head.weight":"pytorch_model-00001-of-00001.bin"}}""");
        using CheckpointFolder one = CheckpointFolder.Open(TestData.Path("checkpoints", "pickle"));
        using CheckpointFolder shards = CheckpointFolder.Open(_folder.Path);
        Assert.Equal(one.Tensors.Keys, shards.Tensors.Keys);
    }

    [Fact]
    public void Open_TableBesideWeightsThatHaveOne_IsNotRead()
    {
        _folder.Copy(TestData.Path("checkpoints", "plain"), "");
        _folder.Write("normalized_embeddings_weights.pt", "no archive");
        CheckpointFolder.Open(_folder.Path).Dispose();
    }

    [Fact]
    public void Open_NoWeightsOrNoConfig_SaysWhatIsMissing()
    {
        Assert.Contains("config.json", Assert.Throws<CheckpointException>(() => CheckpointFolder.Open(_folder.Path)).Message);
        _folder.Write("config.json", "{}");
        Assert.Contains("model.safetensors", Assert.Throws<CheckpointException>(() => CheckpointFolder.Open(_folder.Path)).Message);
    }

    private void EditIndex(Action<JsonNode> edit)
    {
        _folder.Copy(TestData.Path("checkpoints", "sharded"), "");
        JsonNode index = JsonNode.Parse(File.ReadAllText(Path.Combine(_folder.Path, Index)))!;
        edit(index["weight_map"]!);
        _folder.Write(Index, index.ToJsonString());
    }
}

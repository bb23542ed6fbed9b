using Serving.Inference.Checkpoints;
using Serving.Testing;

namespace Serving.Inference.Tests.Checkpoints;

public sealed class CheckpointContentsTests
{
    [Theory]
    [InlineData("plain")]
    [InlineData("fused")]
    [InlineData("nofinal")]
    [InlineData("rms")]
    [InlineData("pickle")]
    [InlineData("table")]
    [InlineData("moe")]
    public void Of_GoldenCheckpoint_KnowsEveryTensorAndMissesNone(string variant)
    {
        using CheckpointFolder folder = CheckpointFolder.Open(TestData.Path("checkpoints", variant));
        CheckpointContents contents = CheckpointContents.Of(folder.Tensors.Values);
        Assert.Empty(contents.Unknown);
        Assert.Empty(contents.Missing);
        Assert.Equal(folder.Tensors.Count, contents.Groups.Sum(group => group.Count) + contents.Unused.Count);
        Assert.Equal("embedding", contents.Groups[0].Role);
    }

    [Fact]
    public void Of_TensorsOfTwoBlocks_GroupsThem()
    {
        TensorGroup query = Plain().Groups.Single(group => group.Role == "query");
        Assert.Equal(("transformer_layers.0.self_attn.q_proj.weight", 2), (query.First, query.Count));
        Assert.Equal([32L, 32], query.Shape);
    }

    [Fact]
    public void Of_TensorMissingInOneBlock_NamesItAsTheOtherBlockDoes()
    {
        CheckpointContents contents = Plain("transformer_layers.1.self_attn.q_proj.weight", "transformer_layers.0.mlp.2.bias");
        Assert.Equal(["transformer_layers.0.mlp.2.bias", "transformer_layers.1.self_attn.q_proj.weight"], contents.Missing.Order());
    }

    [Fact]
    public void Of_TensorMissingInAllBlocks_IsDescribed()
    {
        CheckpointContents contents = Plain(
            "lm_head.weight", "transformer_layers.0.mlp.0.weight", "transformer_layers.1.mlp.0.weight");
        Assert.Equal(["head", "up of block 0", "up of block 1"], contents.Missing);
    }

    [Fact]
    public void Of_BuffersAndStrangers_AreNamed()
    {
        CheckpointContents contents = CheckpointContents.Of(
        [
            Tensor.InMemory("transformer_layers.0.self_attn.rotary_emb.inv_freq", [1f], 1), Tensor.InMemory("surprise", [1f], 1),
        ]);
        Assert.Equal(["transformer_layers.0.self_attn.rotary_emb.inv_freq"], contents.Unused);
        Assert.Equal(["surprise"], contents.Unknown);
    }

    [Fact]
    public void Of_SeveralExperts_TellsWhichMissesWhat()
    {
        using CheckpointFolder folder = CheckpointFolder.Open(TestData.Path("checkpoints", "moe"));
        string[] without = ["experts.1.transformer_layers.1.mlp.0.weight", "experts.0.lm_head.weight"];
        CheckpointContents contents = CheckpointContents.Of(folder.Tensors.Values.Where(tensor => !without.Contains(tensor.Name)));
        Assert.Equal(["experts.0", "experts.1"], contents.Experts);
        Assert.Equal(["experts.0: head", "experts.1.transformer_layers.1.mlp.0.weight"], contents.Missing);
    }

    private static CheckpointContents Plain(params string[] without)
    {
        using CheckpointFolder folder = CheckpointFolder.Open(TestData.Path("checkpoints", "plain"));
        return CheckpointContents.Of(folder.Tensors.Values.Where(tensor => !without.Contains(tensor.Name)));
    }
}

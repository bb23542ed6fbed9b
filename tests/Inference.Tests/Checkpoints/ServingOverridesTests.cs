using Serving.Inference.Checkpoints;
using Serving.Testing;

namespace Serving.Inference.Tests.Checkpoints;

public sealed class ServingOverridesTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public ServingOverridesTests() => _folder.Copy(TestData.Path("checkpoints", "plain"), "");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Open_Overrides_TakeThePlaceOfConfig()
    {
        _folder.Write("serving.json", """{"rope_pairing": "interleaved", "norm": "layer", "n_head": 4}""");
        using CheckpointFolder folder = CheckpointFolder.Open(_folder.Path);
        Assert.Equal(
            (RopePairing.Interleaved, NormKind.Layer, 4), (folder.Config.RopePairing, folder.Config.Norm, folder.Config.Heads));
    }

    [Fact]
    public void Open_Names_AreExchanged()
    {
        _folder.Write("serving.json", """
            {"names": {"transformer_layers.0.self_attn.q_proj.weight": "transformer_layers.0.self_attn.k_proj.weight",
                       "transformer_layers.0.self_attn.k_proj.weight": "transformer_layers.0.self_attn.q_proj.weight"}}
            """);
        using CheckpointFolder plain = CheckpointFolder.Open(TestData.Path("checkpoints", "plain"));
        using CheckpointFolder folder = CheckpointFolder.Open(_folder.Path);
        Tensor key = folder.Tensors["transformer_layers.0.self_attn.k_proj.weight"];
        Assert.Equal("transformer_layers.0.self_attn.k_proj.weight", key.Name);
        Assert.Equal(plain.Tensors["transformer_layers.0.self_attn.q_proj.weight"].ToFloats(), key.ToFloats());
        Assert.Equal(plain.Tensors.Count, folder.Tensors.Count);
    }

    [Theory]
    [InlineData("[]", "object")]
    [InlineData("""{"rope": "half"}""", "'rope'")]
    [InlineData("""{"rope_pairing": "quarter"}""", "'rope_pairing'")]
    [InlineData("""{"rope_pairing": 1}""", "'rope_pairing'")]
    [InlineData("""{"norm": "batch"}""", "'norm'")]
    [InlineData("""{"n_head": 0}""", "'n_head'")]
    [InlineData("""{"n_head": 2, "n_head": 4}""", "n_head")]
    [InlineData("""{"names": []}""", "'names'")]
    [InlineData("""{"names": {"lm_head.weight": 1}}""", "'lm_head.weight'")]
    [InlineData("""{"names": {"lm_head.weight": "nonsense"}}""", "nonsense")]
    [InlineData("""{"names": {"nonsense": "lm_head.weight"}}""", "'nonsense'")]
    [InlineData("""{"names": {"lm_head.bias": "lm_head.weight"}}""", "'lm_head.weight'")]
    public void Open_BadOverrides_AreRefusedByName(string json, string part)
    {
        _folder.Write("serving.json", json);
        CheckpointException fault = Assert.Throws<CheckpointException>(() => CheckpointFolder.Open(_folder.Path));
        Assert.EndsWith("serving.json", fault.Path, StringComparison.Ordinal);
        Assert.Contains(part, fault.Message);
    }
}

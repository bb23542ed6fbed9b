using Serving.Inference.Checkpoints;

namespace Serving.Inference.Tests.Checkpoints;

public sealed class ModelConfigTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("vocab_size", "0")]
    [InlineData("vocab_size", "16777217")]
    [InlineData("vocab_size", "99999999999999999999")]
    [InlineData("n_layer", "1000000000")]
    [InlineData("n_layer", "-1")]
    [InlineData("n_layer", "2.5")]
    [InlineData("n_layer", "1e1")]
    [InlineData("n_layer", "\"2\"")]
    [InlineData("n_layer", "[2]")]
    [InlineData("d_model", "0")]
    [InlineData("n_embd", "65537")]
    [InlineData("n_head", "true")]
    [InlineData("block_size", "1048577")]
    [InlineData("eos_token", "2")]
    [InlineData("rope_pairing", "\"diagonal\"")]
    [InlineData("rope_pairing", "\"0\"")]
    [InlineData("norm", "\"batch\"")]
    [InlineData("substrate", "\"sha256:12\"")]
    [InlineData("substrate", "\"../../etc\"")]
    public void Read_ValueOutOfRange_NamesKeyAndRange(string key, string value)
    {
        string path = _folder.Write("config.json", $$"""{"{{key}}": {{value}}}""");
        var e = Assert.Throws<CheckpointException>(() => ModelConfig.Read(path));
        Assert.Equal($"key '{key}'", e.Subject);
        Assert.Equal(value, e.Found);
        Assert.StartsWith(path, e.Message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{\"n_layer\": 2, \"n_layer\": 3}")]
    [InlineData("{\"n_layer\": 2} x")]
    [InlineData("{\"\\ud800\": 2}")]
    [InlineData("{\"a\": [{\"b\": \"\\udc00\"}]}")]
    public void Read_NotAnObjectWithEachKeyOnce_IsRefused(string json)
    {
        string path = _folder.Write("config.json", json);
        Assert.StartsWith(path, Assert.Throws<CheckpointException>(() => ModelConfig.Read(path)).Message);
    }

    [Fact]
    public void Read_InvalidUtf8_IsRefused()
    {
        string path = _folder.Write("config.json", [(byte)'{', (byte)'"', 0xFF, (byte)'"', (byte)':', (byte)'1', (byte)'}']);
        Assert.Contains("UTF-8", Assert.Throws<CheckpointException>(() => ModelConfig.Read(path)).Message);
    }

    [Fact]
    public void Read_EveryKeyAndAlias_IsUnderstood()
    {
        string path = _folder.Write("config.json", $$"""
            {"vocab_size": 7, "n_embd": 2, "d_model": 4, "n_head": 2, "n_layer": 1, "n_positions": 9, "pad_token": "<pad>",
             "bos_token": "<s>", "eos_token": "</s>", "rope_pairing": "hybrid", "norm": "rms",
             "substrate": "sha256:{{new string('a', 64)}}",
             "auto_map": {"AutoModel": "evil.py"}, "pad_id": null}
            """);
        Assert.Equal(new ModelConfig
        {
            Path = path,
            VocabularySize = 7,
            InputWidth = 2,
            Width = 4,
            Heads = 2,
            Layers = 1,
            ContextTokens = 9,
            PadToken = "<pad>",
            BeginToken = "<s>",
            EndToken = "</s>",
            RopePairing = RopePairing.Hybrid,
            Norm = NormKind.Rms,
            Substrate = "sha256:" + new string('a', 64),
        }, ModelConfig.Read(path));
    }

    [Fact]
    public void Read_EmptyObject_LeavesEverythingOpen()
    {
        string path = _folder.Write("config.json", "{}");
        Assert.Equal(new ModelConfig { Path = path }, ModelConfig.Read(path));
    }
}

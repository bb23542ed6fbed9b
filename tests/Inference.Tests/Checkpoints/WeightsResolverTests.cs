using System.Text.Json;
using Serving.Glyphs.Embeddings;
using Serving.Inference.Checkpoints;

namespace Serving.Inference.Tests.Checkpoints;

public sealed class WeightsResolverTests
{
    private static readonly ModelConfig Config = new() { Path = "config.json", Heads = 2, ContextTokens = 8 };

    [Fact]
    public void Resolve_OnlyTensors_TakesSizesFromShapes()
    {
        TransformerWeights weights = Resolve(new ModelConfig { Path = "config.json" }, Tensors(width: 64).Values);
        Assert.Equal((10, 64, 32), (weights.VocabularySize, weights.Width, weights.Heads));
        Assert.Equal((1024, 1, 12), (weights.ContextTokens, weights.Blocks.Count, weights.HiddenWidth));
        Assert.Contains(weights.Notes, note => note.Contains("n_head"));
        Assert.Contains(weights.Notes, note => note.Contains("block_size"));
    }

    [Fact]
    public void Resolve_ConfigDisagrees_ShapesWinWithANote()
    {
        TransformerWeights weights = Resolve(
            Config with { Layers = 3, Width = 7, VocabularySize = 11 }, Tensors().Values);
        Assert.Equal((10, 8, 1), (weights.VocabularySize, weights.Width, weights.Blocks.Count));
        Assert.Equal(3, weights.Notes.Count);
    }

    [Theory]
    [InlineData("lm_head.weight")]
    [InlineData("layers.0.ln1.weight")]
    [InlineData("layers.0.attn.q.weight")]
    [InlineData("layers.0.attn.o.weight")]
    [InlineData("layers.0.mlp.2.weight")]
    [InlineData("wte.weight")]
    public void Resolve_MissingTensor_IsRefused(string name)
    {
        Dictionary<string, Tensor> tensors = Tensors();
        tensors.Remove(name);
        Assert.Throws<CheckpointException>(() => Resolve(Config, tensors.Values));
    }

    [Theory]
    [InlineData("layers.0.attn.q.weight", new long[] { 8, 4 })]
    [InlineData("layers.0.mlp.0.weight", new long[] { 12 })]
    [InlineData("layers.0.mlp.2.weight", new long[] { 12, 8 })]
    [InlineData("layers.0.ln1.weight", new long[] { 8, 1 })]
    [InlineData("layers.0.ln1.bias", new long[] { 9 })]
    [InlineData("wte.weight", new long[] { 9, 8 })]
    [InlineData("wte.weight", new long[] { 10, 3 })]
    [InlineData("lm_head.weight", new long[] { 10 })]
    [InlineData("lm_head.weight", new long[] { 0, 8 })]
    public void Resolve_WrongShape_NamesTheTensor(string name, long[] shape)
    {
        Dictionary<string, Tensor> tensors = Tensors();
        tensors[name] = Of(name, shape);
        var e = Assert.Throws<CheckpointException>(() => Resolve(Config, tensors.Values));
        Assert.Equal($"tensor '{name}'", e.Subject);
    }

    [Fact]
    public void Resolve_HoleBetweenBlocks_IsRefused()
    {
        Dictionary<string, Tensor> tensors = Tensors();
        tensors.Add("x", Of("layers.5.ln1.weight", 8));
        Assert.Contains("block 1", Assert.Throws<CheckpointException>(() => Resolve(Config, tensors.Values)).Message);
    }

    [Fact]
    public void Resolve_TwoTensorsOfOneRole_NamesBoth()
    {
        Dictionary<string, Tensor> tensors = Tensors();
        tensors.Add("x", Of("model.lm_head.weight", 10, 8));
        string message = Assert.Throws<CheckpointException>(() => Resolve(Config, tensors.Values)).Message;
        Assert.Contains("model.lm_head.weight", message);
        Assert.Contains("'lm_head.weight'", message);
    }

    [Fact]
    public void Resolve_UnknownTensor_IsRefused()
    {
        Dictionary<string, Tensor> tensors = Tensors();
        tensors.Add("x", Of("layers.0.mlp.gate.weight", 12, 8));
        Assert.Contains("mlp.gate", Assert.Throws<CheckpointException>(() => Resolve(Config, tensors.Values)).Message);
    }

    [Fact]
    public void Resolve_ExpertsAndOneTable_AreModelsOnIt()
    {
        Dictionary<string, Tensor> tensors = Tensors();
        tensors.Remove("wte.weight", out Tensor? table);
        Tensor[] all = [table!, .. tensors.Values.Select(t => t.Named($"experts.0.{t.Name}")), .. tensors.Values.Select(t => t.Named($"experts.1.{t.Name}"))];
        IReadOnlyList<TransformerWeights> experts = WeightsResolver.Resolve(Config, all);
        Assert.Equal(["experts.0", "experts.1"], experts.Select(expert => expert.Name));
        Assert.Equal(experts[0].Table.Fingerprint, experts[1].Table.Fingerprint);
    }

    [Fact]
    public void Resolve_ExpertsOfDifferentVocabularies_AreRefused()
    {
        Tensor[] other = [.. Tensors().Values.Where(t => t.Name is not ("wte.weight" or "lm_head.weight")), Of("wte.weight", 11, 8), Of("lm_head.weight", 11, 8)];
        Tensor[] all = [.. Tensors().Values.Select(t => t.Named($"a.{t.Name}")), .. other.Select(t => t.Named($"b.{t.Name}"))];
        Assert.Contains("'b.lm_head.weight'", Assert.Throws<CheckpointException>(() => WeightsResolver.Resolve(Config, all)).Message);
    }

    [Fact]
    public void Resolve_IncompleteExpert_NamesWhatItLacks()
    {
        Tensor[] all = [.. Tensors().Values.Select(t => t.Named($"a.{t.Name}")), .. Tensors().Values.Where(t => t.Name != "layers.0.attn.o.weight").Select(t => t.Named($"b.{t.Name}"))];
        Assert.Contains("block 0", Assert.Throws<CheckpointException>(() => WeightsResolver.Resolve(Config, all)).Message);
    }

    [Fact]
    public void Resolve_StrayPrefixWithoutBlocks_IsUnknown()
    {
        Dictionary<string, Tensor> tensors = Tensors();
        tensors.Add("x", Of("adapter.out.weight", 10, 8));
        Assert.Contains("adapter.out", Assert.Throws<CheckpointException>(() => Resolve(Config, tensors.Values)).Message);
    }

    [Fact]
    public void Resolve_OneOddPrefix_IsOneModel() =>
        Assert.Equal("_orig_mod", Resolve(Config, [.. Tensors().Values.Select(t => t.Named($"_orig_mod.{t.Name}"))]).Name);

    [Fact]
    public void Resolve_NoHead_IsTheTableOnlyWhereConfigSaysSo()
    {
        Dictionary<string, Tensor> tensors = Tensors();
        tensors.Remove("lm_head.weight");
        Assert.Contains("tie_word_embeddings", Assert.Throws<CheckpointException>(() => Resolve(Config, tensors.Values)).Remedy);
        Assert.Same(tensors["wte.weight"], Resolve(Config with { TiesHead = true }, tensors.Values).Head.Weight);
        tensors["wte.weight"] = Of("wte.weight", 10, 4);
        Assert.Throws<CheckpointException>(() => Resolve(Config with { TiesHead = true }, tensors.Values));
    }

    [Fact]
    public void Resolve_MatricesStoredInputsFirst_AreTransposed()
    {
        var random = new Random(1);
        Dictionary<string, Tensor> tensors = Tensors();
        foreach (string name in tensors.Keys.ToArray())
            tensors[name] = Tensor.InMemory(name, [.. Enumerable.Range(0, (int)tensors[name].Elements).Select(_ => random.NextSingle())], [.. tensors[name].Shape]);
        IEnumerable<Tensor> stored = tensors.Values.Select(t => t.Name.StartsWith("layers", StringComparison.Ordinal) && t.Shape.Count == 2 ? t.Transposed() : t);
        TransformerWeights plain = Resolve(Config, tensors.Values), transposed = Resolve(Config, stored);
        Assert.Equal(plain.Tensors().Select(t => t.ToFloats()), transposed.Tensors().Select(t => t.ToFloats()));
        Assert.Contains(transposed.Notes, note => note.Contains("Conv1D"));
    }

    [Fact]
    public void Resolve_IntegerWeights_AreRefused()
    {
        Dictionary<string, Tensor> tensors = Tensors();
        tensors["lm_head.weight"] = Tensor.InMemory("lm_head.weight", DType.I8, new byte[80], 10, 8);
        Assert.Contains("in all matrices or in none", Assert.Throws<CheckpointException>(() => Resolve(Config, tensors.Values)).Message);
        tensors["lm_head.weight"] = Tensor.InMemory("lm_head.weight", DType.I32, new byte[320], 10, 8);
        Assert.Equal("I32", Assert.Throws<CheckpointException>(() => Resolve(Config, tensors.Values)).Found);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(8)]
    public void Resolve_HeadsThatDoNotFit_AreRefused(int heads)
    {
        var e = Assert.Throws<CheckpointException>(() => Resolve(Config with { Heads = heads }, Tensors().Values));
        Assert.Equal("key 'n_head'", e.Subject);
    }

    [Fact]
    public void Resolve_NoTableButDigits_ReadsTokenBits()
    {
        Dictionary<string, Tensor> tensors = Tensors();
        tensors.Remove("wte.weight");
        TransformerWeights weights = Resolve(Config with { InputWidth = 4 }, tensors.Values);
        Assert.Equal(TableSource.TokenBits, weights.TableSource);
        Assert.Equal([0, 1, 1, 0], weights.Table.Row(6).ToArray());
        Assert.Throws<CheckpointException>(() => Resolve(Config with { InputWidth = 2 }, tensors.Values));
    }

    // Worked out by hand: rows of A as sums of an id's digits x0 (of 8) to x3 (of 1).
    [Theory]
    [InlineData(0, "1001")]
    [InlineData(1, "1100")]
    [InlineData(6, "0011")]
    [InlineData(9, "1110")]
    public void Resolve_NoTableButAMap_ReadsTheDigitsThroughIt(int id, string code)
    {
        Dictionary<string, Tensor> tensors = Tensors();
        tensors.Remove("wte.weight");
        byte[] matrix = [0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1];
        tensors["code.A"] = Tensor.InMemory("code.A", DType.I64, [.. matrix.SelectMany(bit => BitConverter.GetBytes((long)bit))], 4, 4);
        tensors["code.b"] = Tensor.InMemory("code.b", DType.F32, [.. new[] { 1f, 0, 0, 1 }.SelectMany(BitConverter.GetBytes)], 4);
        float[] expected = [.. code.Select(digit => digit - '0')];
        TransformerWeights weights = Resolve(Config, tensors.Values);
        Assert.Equal(expected, weights.Table.Row(id).ToArray());
        Assert.DoesNotContain(weights.Notes, note => note.Contains("invertible"));

        tensors.Remove("code.A");
        tensors.Remove("code.b");
        TokenCode said = new ConfigKeys("serving.json", JsonDocument.Parse("""{"m": ["0100", "0111", "1100", "0001"], "o": "1001"}""").RootElement).Code("m", "o")!;
        Assert.Equal(expected, Resolve(Config with { Code = said }, tensors.Values).Table.Row(id).ToArray());
    }

    [Fact]
    public void Resolve_MapOfOtherValuesOrShape_IsRefused()
    {
        Dictionary<string, Tensor> tensors = Tensors();
        tensors.Remove("wte.weight");
        tensors["A"] = Tensor.InMemory("A", [1, 0, 0, 0.5f, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0], 4, 4);
        Assert.Contains("zeros and ones", Assert.Throws<CheckpointException>(() => Resolve(Config, tensors.Values)).Message);
        tensors["A"] = Tensor.InMemory("A", new float[8], 4, 2);
        Assert.Contains("[4, 2]", Assert.Throws<CheckpointException>(() => Resolve(Config, tensors.Values)).Message);
        tensors["A"] = Tensor.InMemory("A", new float[16], 4, 4);
        Assert.Contains(Resolve(Config, tensors.Values).Notes, note => note.Contains("not invertible"));
    }

    [Fact]
    public void Resolve_GatedMlp_IsRefusedInWords()
    {
        Dictionary<string, Tensor> tensors = Tensors();
        tensors["layers.0.mlp.gate_proj.weight"] = Tensor.InMemory("layers.0.mlp.gate_proj.weight", new float[96], 12, 8);
        Assert.Contains("gated", Assert.Throws<CheckpointException>(() => Resolve(Config, tensors.Values)).Message);
    }

    [Fact]
    public void Resolve_WholeNumbersInOneMatrixOnly_AreRefused()
    {
        Dictionary<string, Tensor> tensors = Tensors();
        tensors["layers.0.attn.q.weight"] = Tensor.InMemory("layers.0.attn.q.weight", DType.I8, new byte[64], 8, 8);
        Assert.Contains("in all matrices or in none", Assert.Throws<CheckpointException>(() => Resolve(Config, tensors.Values)).Message);
    }

    [Fact]
    public void Resolve_NormsWithoutBias_AreRmsUnlessConfigSaysOtherwise()
    {
        Dictionary<string, Tensor> tensors = Tensors();
        Assert.Equal(NormKind.Layer, Resolve(Config, tensors.Values).Norm);
        Assert.Throws<CheckpointException>(() => Resolve(Config with { Norm = NormKind.Rms }, tensors.Values));
        tensors.Remove("layers.0.ln1.bias");
        Assert.Equal(NormKind.Rms, Resolve(Config, tensors.Values).Norm);
        Assert.Equal(NormKind.Layer, Resolve(Config with { Norm = NormKind.Layer }, tensors.Values).Norm);
    }

    private static TransformerWeights Resolve(ModelConfig config, IEnumerable<Tensor> tensors) =>
        Assert.Single(WeightsResolver.Resolve(config, tensors));

    private static Dictionary<string, Tensor> Tensors(int width = 8)
    {
        Tensor[] tensors =
        [
            Of("wte.weight", 10, width), Of("lm_head.weight", 10, width),
            Of("layers.0.ln1.weight", width), Of("layers.0.ln1.bias", width), Of("layers.0.ln2.weight", width),
            Of("layers.0.attn.q.weight", width, width), Of("layers.0.attn.k.weight", width, width),
            Of("layers.0.attn.v.weight", width, width), Of("layers.0.attn.o.weight", width, width),
            Of("layers.0.mlp.0.weight", 12, width), Of("layers.0.mlp.2.weight", width, 12),
            Of("layers.0.attn.inv_freq", 2),
        ];
        return tensors.ToDictionary(tensor => tensor.Name);
    }

    private static Tensor Of(string name, params long[] shape) =>
        Tensor.InMemory(name, new float[shape.Aggregate(1L, (a, b) => a * b)], shape);
}

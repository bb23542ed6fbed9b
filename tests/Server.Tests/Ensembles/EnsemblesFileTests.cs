using Serving.Inference.Checkpoints;
using Serving.Inference.Ensembles;
using Serving.Server.Ensembles;
using Serving.Server.Models;
using Serving.Testing;

namespace Serving.Server.Tests.Ensembles;

public sealed class EnsemblesFileTests : IDisposable
{
    private readonly ExpertsFolder _folder = ExpertsFolder.Create();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Read_NoFile_IsEmpty() => Assert.Empty(EnsemblesFile.Read(_folder.Path));

    [Fact]
    public void Read_BundledFile_HasBabel()
    {
        Ensemble babel = Assert.Single(EnsemblesFile.Read(Path.Combine(TestData.RepositoryRoot, "models")));
        Assert.Equal(("babel", EnsembleRule.Logits), (babel.Id, babel.Rule));
        Assert.Equal([new Expert("glyph-en", 1), new Expert("glyph-ru", 1), new Expert("glyph-zh", 1)], babel.Experts);
    }

    [Theory]
    [InlineData("", "ensembles.json: $: expected an object")]
    [InlineData("null", "null")]
    [InlineData("[]", "expected an object such as")]
    [InlineData("""{"x": null}""", "'x'")]
    [InlineData("""{"x": {"experts": []}}""", "'x.experts': expected a list of 1 to 8 experts, found 0")]
    [InlineData("""{"x": {"experts": [{"weight": 1}]}}""", "'x.experts[0].model': expected the id of a model")]
    [InlineData("""{"x": {"experts": [{"model": "a", "weight": "1"}]}}""", "$.x.experts[0].weight")]
    [InlineData("""{"x": {"experts": [{"model": "a", "weight": 1000001}]}}""", "from 0 to 1000000, found 1000001")]
    [InlineData("""{"x": {"experts": [{"model": "a"}], "combine": "mean"}}""", "'x.combine'")]
    [InlineData("""{"x": {"experts": [{"model": "a"}], "weights": [1]}}""", "'weights'")]
    [InlineData("""{"x": {"experts": [{"model": "a", "wieght": 1}]}}""", "'experts[0].wieght'")]
    [InlineData("""{"x": {"experts": [{"model": "a"}]}, "x": {"experts": [{"model": "b"}]}}""", "Duplicate")]
    [InlineData("""{"a+b": {"experts": [{"model": "a"}]}}""", "'a+b'")]
    [InlineData("""{"": {"experts": [{"model": "a"}]}}""", "''")]
    [InlineData("""{"a": {"experts": [{"model": "b"}]}}""", "'a' twice")]
    public void Catalog_MalformedFile_TellsPlaceAndFault(string json, string told)
    {
        _folder.WithEnsembles(json);
        var refused = Assert.Throws<CheckpointException>(() => new ModelCatalog([ModelsRoot.Scan(_folder.Path)]));
        Assert.Contains(told, refused.Message);
        Assert.StartsWith(_folder.Path, refused.Message, StringComparison.Ordinal);
    }
}

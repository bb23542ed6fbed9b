using Serving.Glyphs.Embeddings;
using Serving.Glyphs.Fonts;
using Serving.Inference.Checkpoints;
using Serving.Testing;

namespace Serving.Inference.Tests.Checkpoints;

public sealed class SubstrateWriterTests
{
    private static readonly GlyphTable Table =
        GlyphTable.Build(GlyphFont.Unifont, GlyphRecipe.Glyph256, [.. Enumerable.Range('A', 60).Select(c => $"{(char)c}")]);

    [Fact]
    public void Write_Table_IsReadBackUnderItsFingerprint()
    {
        using var folder = new TempFolder();
        var progress = new LastReport();

        string fingerprint = SubstrateWriter.Write(Table, TestData.Path("tokenizers/bytelevel.tokenizer.json"), folder.Path, progress);

        FrozenTable expected = Table.ToFrozenTable();
        Assert.Equal(expected.Fingerprint, fingerprint);
        Assert.True(Substrate.Load(folder.Path).Table.HasBitsOf(expected));
        Assert.Equal((progress.Value.Total, expected.Bytes + Table.Bits.Bytes.Length), (progress.Value.Done, progress.Value.Total));
    }

    [Fact]
    public void Write_TableFile_HoldsTheFingerprintOfEachTensor()
    {
        using var folder = new TempFolder();
        SubstrateWriter.Write(Table, TestData.Path("tokenizers/bytelevel.tokenizer.json"), folder.Path);

        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(folder.Path, "table.safetensors"));

        Assert.Equal(["embeddings", "bits"], file.Tensors.Keys);
        Assert.All(file.Tensors.Values, tensor => Assert.Equal(TensorContent.FingerprintOf(tensor), tensor.Fingerprint));
    }

    private sealed class LastReport : IProgress<(long Done, long Total)>
    {
        public (long Done, long Total) Value { get; private set; }

        public void Report((long Done, long Total) value) => Value = value;
    }
}

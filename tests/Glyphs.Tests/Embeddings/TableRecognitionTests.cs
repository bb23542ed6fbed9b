using Serving.Glyphs.Embeddings;
using Serving.Glyphs.Fonts;
using Serving.Glyphs.Tokens;
using Serving.Testing;

namespace Serving.Glyphs.Tests.Embeddings;

public class TableRecognitionTests
{
    private static readonly string[] Texts =
        Tokenizer.Load(Path.Combine(TestData.RepositoryRoot, "models", "substrates", "glyph-8k", "tokenizer.json")).Spellings();

    // Every seventh token: all scripts, single characters and n-grams.
    private static readonly string[] Some = [.. Texts.Where((_, id) => id % 7 == 0)];

    public static TheoryData<string> Recipes() => [.. GlyphRecipe.Presets.Where(recipe => recipe.CellPixels == 32).Select(recipe => recipe.Name)];

    [Theory]
    [MemberData(nameof(Recipes))]
    public void Of_TableOfARecipe_NamesIt(string name)
    {
        GlyphRecipe recipe = GlyphRecipe.Presets.Single(preset => preset.Name == name);
        FrozenTable table = GlyphTable.Build(GlyphFont.Unifont, recipe, Some).ToFrozenTable();

        TableOrigin origin = TableRecognition.Of(table, Some);

        Assert.Equal((TableKind.Glyph, true), (origin.Kind, origin.IsFrozen));
        // Mistral-Nemo's recipe is that of bvv241-max with another vocabulary.
        Assert.Equal(name == "bvv241-nemo" ? "bvv241-max" : name, origin.Recipe);
    }

    [Fact]
    public void Of_GlyphTableRoundedToBf16_IsStillOne()
    {
        FrozenTable table = GlyphTable.Build(GlyphFont.Unifont, GlyphRecipe.Glyph256, Some).ToFrozenTable();
        ushort[] rounded = [.. Enumerable.Range(0, table.Rows).SelectMany(id => table.Row(id).ToArray())
            .Select(value => (ushort)((BitConverter.SingleToUInt32Bits(value) + 0x8000) >> 16))];

        Assert.Equal("glyph-256", TableRecognition.Of(FrozenTable.OfBFloat16(table.Rows, 256, rounded), Some).Recipe);
    }

    [Fact]
    public void Of_GlyphTableOfOtherTokens_IsFloat()
    {
        FrozenTable table = GlyphTable.Build(GlyphFont.Unifont, GlyphRecipe.Glyph256, Some).ToFrozenTable();

        Assert.Equal(new TableOrigin(TableKind.Float, IsFrozen: true), TableRecognition.Of(table, [.. Some.Reverse()]));
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(false, false)]
    public void Of_RandomVectors_AreFrozenOnlyWithUnitLength(bool unit, bool frozen)
    {
        var random = new Random(1);
        float[][] rows = [.. Enumerable.Range(0, 500).Select(_ => Enumerable.Range(0, 256).Select(_ => random.NextSingle() - 0.5f).ToArray())];
        if (unit) rows = [.. rows.Select(row => row.Select(value => value / MathF.Sqrt(row.Sum(x => x * x))).ToArray())];

        TableOrigin origin = TableRecognition.Of(new FrozenTable(500, 256, [.. rows.SelectMany(row => row)]), Texts);

        Assert.Equal(new TableOrigin(TableKind.Float, frozen), origin);
    }

    [Fact]
    public void Of_ZerosAndOnes_IsBinaryAndKnowsTheTokenId()
    {
        float[] most = [.. Enumerable.Range(0, 300).SelectMany(id => Enumerable.Range(0, 16).Select(bit => (float)((id >> (15 - bit)) & 1)))];
        float[] least = [.. Enumerable.Range(0, 300).SelectMany(id => Enumerable.Range(0, 16).Select(bit => (float)((id >> bit) & 1)))];
        float[] other = [.. most];
        other[77] = 1 - other[77];

        Assert.Equal(new TableOrigin(TableKind.Binary, true, null, IsTokenId: true), TableRecognition.Of(new FrozenTable(300, 16, most), []));
        Assert.True(TableRecognition.Of(new FrozenTable(300, 16, least), []).IsTokenId);
        Assert.Equal(new TableOrigin(TableKind.Binary, true), TableRecognition.Of(new FrozenTable(300, 16, other), []));
    }

    [Fact]
    public void Of_ValuesThatAreNotNumbers_AreNotFrozen() =>
        Assert.False(TableRecognition.Of(new FrozenTable(2, 2, [float.NaN, 1, 0, 1]), []).IsFrozen);
}

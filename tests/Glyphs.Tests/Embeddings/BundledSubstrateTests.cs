using System.Text.Json;
using Serving.Glyphs.Embeddings;
using Serving.Glyphs.Fonts;
using Serving.Glyphs.Tokens;
using Serving.Testing;

namespace Serving.Glyphs.Tests.Embeddings;

public class BundledSubstrateTests
{
    private static readonly string Folder = Path.Combine(TestData.RepositoryRoot, "models", "substrates", "glyph-8k");

    [Fact]
    public void Build_BundledTokenizer_GivesTheStoredTableToTheByte()
    {
        using JsonDocument description = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "table.json")));

        GlyphTable table = GlyphTable.Build(GlyphFont.Unifont, GlyphRecipe.Glyph256, Texts());

        // The stored fingerprint was computed on another machine.
        Assert.Equal(description.RootElement.GetProperty("fingerprint").GetString(), table.ToFrozenTable().Fingerprint);
    }

    [Fact]
    public async Task Build_OnOneThread_GivesTheSameBytes()
    {
        string[] texts = Texts()[..600];
        string many = GlyphTable.Build(GlyphFont.Unifont, GlyphRecipe.Glyph256, texts).ToFrozenTable().Fingerprint;

        TaskScheduler one = new ConcurrentExclusiveSchedulerPair(TaskScheduler.Default, 1).ConcurrentScheduler;
        string alone = await Task.Factory.StartNew(
            () => GlyphTable.Build(GlyphFont.Unifont, GlyphRecipe.Glyph256, texts).ToFrozenTable().Fingerprint,
            TestContext.Current.CancellationToken, TaskCreationOptions.None, one);

        Assert.Equal(many, alone);
    }

    [Fact]
    public void Tokenizer_TokensOfOneLanguage_HaveNoPictureInCommon()
    {
        string[] texts = Texts();
        var canvas = new GlyphCanvas(GlyphFont.Unifont, GlyphRecipe.Glyph256);
        var seen = new Dictionary<(char Script, string Picture), string>();
        var picture = new byte[128];
        foreach (string text in texts.Where(text => text.Length > 1))
        {
            canvas.Draw(text, picture);
            Assert.True(seen.TryAdd((ScriptOf(text), Convert.ToHexString(picture)), text), $"'{text}' looks like another token.");
        }
    }

    private static string[] Texts()
    {
        Tokenizer tokenizer = Tokenizer.Load(Path.Combine(Folder, "tokenizer.json"));
        return [.. Enumerable.Range(0, tokenizer.VocabularySize).Select(id => tokenizer.Spelling(id)!)];
    }

    private static char ScriptOf(string text) =>
        text.Any(char.IsAsciiLetter) ? 'L' : text.Any(c => c is >= 'Ѐ' and <= 'ӿ') ? 'C' : 'H';
}

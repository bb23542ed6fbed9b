using Serving.Glyphs.Embeddings;
using Serving.Glyphs.Fonts;
using Serving.Glyphs.Tokens;

namespace Serving.Server.Inspection;

/// <summary>
/// Everything that can be found out about a table and its tokens. Each thing is computed when somebody first asks, and kept:
/// models on one table share it. Thread-safe.
/// </summary>
internal sealed class TableInspection
{
    private readonly Lazy<TableOrigin> _origin;
    private readonly Lazy<NearestRows> _nearest;
    private readonly Lazy<DuplicateRows> _duplicates;
    private readonly Lazy<GlyphPictures> _pictures;
    private readonly Lazy<GlyphProjection> _projection;
    private readonly Lazy<bool> _isUnitNorm;

    /// <param name="table">A row for each token.</param>
    /// <param name="tokenizer">Whose tokens they are.</param>
    /// <param name="origin">What the table is.</param>
    public TableInspection(FrozenTable table, Tokenizer tokenizer, Lazy<TableOrigin> origin)
    {
        (Table, Tokenizer, _origin) = (table, tokenizer, origin);
        _nearest = new(() => new NearestRows(Table));
        _duplicates = new(() => new DuplicateRows(Table));
        // Tokens of other tables are shown as they would have been drawn.
        _pictures = new(() => new GlyphPictures(GlyphFont.Unifont, Recipe ?? GlyphRecipe.Glyph1024));
        _projection = new(() => GlyphProjection.Recover(Table, Pictures.DrawAll([.. Enumerable.Range(0, Table.Rows).Select(SpellingOf)])));
        _isUnitNorm = new(() => Enumerable.Range(0, Table.Rows).All(row => Table.Norm(row) is var norm && (norm == 0 || Math.Abs(norm - 1) < 1e-3)));
    }

    public FrozenTable Table { get; }

    public Tokenizer Tokenizer { get; }

    public TableKind Kind => _origin.Value.Kind;

    /// <summary>How a glyph table was made; null for others.</summary>
    public GlyphRecipe? Recipe => GlyphRecipe.Presets.FirstOrDefault(preset => preset.Name == _origin.Value.Recipe);

    public bool IsUnitNorm => _isUnitNorm.Value;

    /// <summary>Whether the rows were computed and not learned.</summary>
    public bool IsFrozen => _origin.Value.IsFrozen;

    public NearestRows Nearest => _nearest.Value;

    public DuplicateRows Duplicates => _duplicates.Value;

    public GlyphPictures Pictures => _pictures.Value;

    /// <summary>The way back from vectors to pictures; only for a glyph table.</summary>
    public GlyphProjection Projection => Kind == TableKind.Glyph
        ? _projection.Value
        : throw new InvalidOperationException($"A table of kind {Kind} holds no pictures.");

    /// <summary>What a picture of the token draws.</summary>
    public string SpellingOf(int id) => Tokenizer.Spelling(id) ?? "";
}

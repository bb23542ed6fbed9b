namespace Serving.Glyphs.Embeddings;

/// <summary>Where the vectors of a table come from, as far as they show it themselves.</summary>
/// <param name="Kind">What they are.</param>
/// <param name="IsFrozen">False when they look trained: rows of no common length. All recipes end in rows of length 1, or in codes
/// of zeros and ones.</param>
/// <param name="Recipe">The recipe of a glyph table; null for any other.</param>
/// <param name="IsTokenId">Whether the rows of a binary table are the digits of the token id.</param>
public sealed record TableOrigin(TableKind Kind, bool IsFrozen, string? Recipe = null, bool IsTokenId = false)
{
    /// <summary>No table.</summary>
    public static TableOrigin None { get; } = new(TableKind.None, IsFrozen: true, IsTokenId: true);
}

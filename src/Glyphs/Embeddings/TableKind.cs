namespace Serving.Glyphs.Embeddings;

#pragma warning disable CA1720 // "Float" is what the contract calls it.

/// <summary>What the rows of an input table are.</summary>
public enum TableKind
{
    /// <summary>Pictures of the tokens, as one of the recipes makes them.</summary>
    Glyph,

    /// <summary>Codes of zeros and ones.</summary>
    Binary,

    /// <summary>Any other vectors.</summary>
    Float,

    /// <summary>There is no table: the digits of the token id are the input.</summary>
    None,
}

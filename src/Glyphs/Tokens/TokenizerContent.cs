namespace Serving.Glyphs.Tokens;

/// <summary>All of a tokenizer file that decides what tokens a text becomes, and back.</summary>
/// <param name="Model">Vocabulary and merges.</param>
/// <param name="AddedTokens">Tokens that are found before any merging.</param>
/// <param name="SpellsBytes">The vocabulary spells bytes in the <see cref="ByteAlphabet"/>, and decoding reads them.</param>
internal sealed record TokenizerContent(BytePairModel Model, AddedTokens AddedTokens, bool SpellsBytes);

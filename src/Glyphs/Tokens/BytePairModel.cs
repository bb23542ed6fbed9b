namespace Serving.Glyphs.Tokens;

/// <summary>The <c>model</c> of a tokenizer file: what byte-pair encoding needs.</summary>
/// <param name="Vocabulary">The strings of the model; added tokens may follow.</param>
/// <param name="Merges">By rank, the first goes first.</param>
/// <param name="UnknownId">The token of a code point without one; null = such code points vanish.</param>
/// <param name="FuseUnknown">Neighbouring unknown code points share one token.</param>
/// <param name="IgnoreMerges">A word that is in the vocabulary is that token, whatever the merges would do.</param>
internal sealed record BytePairModel(
    Vocabulary Vocabulary, Merge[] Merges, int? UnknownId, bool FuseUnknown, bool IgnoreMerges);

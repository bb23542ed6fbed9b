namespace Serving.Glyphs.Tokens;

/// <summary>All of a tokenizer file that decides what tokens a text becomes, and back.</summary>
/// <param name="Model">Vocabulary and merges.</param>
/// <param name="AddedTokens">Tokens that are found before any merging.</param>
/// <param name="Pipeline">The steps around the model.</param>
internal sealed record TokenizerContent(BytePairModel Model, AddedTokens AddedTokens, TextPipeline Pipeline);

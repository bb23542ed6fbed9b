namespace Serving.Glyphs.Tokens;

/// <summary>A rule of byte-pair encoding: two neighbouring tokens become one. Its rank is its place in the list.</summary>
internal readonly record struct Merge(int Left, int Right, int Result);

namespace Serving.Glyphs.Tokens;

/// <summary>An added token in a text, with the white space it takes: [<paramref name="Start"/>, <paramref name="End"/>).</summary>
internal readonly record struct AddedTokenMatch(int Id, int Start, int End);

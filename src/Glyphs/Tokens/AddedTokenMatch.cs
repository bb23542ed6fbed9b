namespace Serving.Glyphs.Tokens;

/// <summary>An added token in a text, from <paramref name="Start"/> to before <paramref name="End"/>, with the space it takes.
/// </summary>
internal readonly record struct AddedTokenMatch(int Id, int Start, int End);

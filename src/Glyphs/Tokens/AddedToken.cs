namespace Serving.Glyphs.Tokens;

/// <summary>A string that is found in the text before any merging, and is one token.</summary>
/// <param name="Id">Its token id.</param>
/// <param name="Content">Its spelling, never empty.</param>
/// <param name="Special">A control token: left out of decoded text, and matched only when the caller asks to parse.</param>
/// <param name="TakesSpaceBefore">It swallows the white space before it (<c>lstrip</c>).</param>
/// <param name="TakesSpaceAfter">It swallows the white space after it (<c>rstrip</c>).</param>
/// <param name="Normalized">It is looked for after the others, in what they left.</param>
internal readonly record struct AddedToken(
    int Id, string Content, bool Special, bool TakesSpaceBefore, bool TakesSpaceAfter, bool Normalized);

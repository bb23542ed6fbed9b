namespace Serving.Glyphs.Tokens;

/// <summary>The steps of a tokenizer around its model.</summary>
/// <param name="Split">The pattern that cuts text into words; null = the whole text is one.</param>
/// <param name="EncodesBytes">Merging starts with UTF-8 bytes, spelled in the <see cref="ByteAlphabet"/>; otherwise with code
/// points.</param>
/// <param name="DecodesBytes">Tokens spell bytes that decode to text; otherwise they are text.</param>
/// <param name="Before">Ids that the template puts before a text, such as that of <c>&lt;s&gt;</c>.</param>
/// <param name="After">Ids that it puts after.</param>
internal sealed record TextPipeline(SplitPattern? Split, bool EncodesBytes, bool DecodesBytes, int[] Before, int[] After);

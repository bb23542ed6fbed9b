using System.Buffers;
using System.Text;

namespace Serving.Glyphs.Tokens;

/// <summary>Ids to text, one by one. What it returned, joined, is the decoded text; special tokens are skipped.</summary>
/// <remarks>Every chunk is text by itself: bytes wait until their code point is whole. One thread at a time.</remarks>
public sealed class StreamingDecoder
{
    private const int ShortChunk = 128;

    private readonly Tokenizer _tokenizer;
    private readonly ArrayBufferWriter<byte> _bytes = new();
    private readonly Decoder _utf8 = Encoding.UTF8.GetDecoder();

    internal StreamingDecoder(Tokenizer tokenizer) => _tokenizer = tokenizer;

    /// <summary>Takes the next id; one without a token adds nothing.</summary>
    /// <returns>The text that became certain: empty for a special token, or while a code point is not whole yet.</returns>
    public string Push(int id)
    {
        if (_tokenizer.IsSpecial(id) || _tokenizer.Spelling(id) is not { } spelling) return "";
        if (!_tokenizer.SpellsBytes) return spelling;
        _bytes.ResetWrittenCount();
        ByteAlphabet.WriteBytes(spelling, _bytes);
        return Take(_bytes.WrittenSpan, flush: false);
    }

    /// <summary>Ends the text; the decoder is then as new.</summary>
    /// <returns>U+FFFD for a code point that never became whole, otherwise nothing.</returns>
    public string Flush() => Take([], flush: true);

    private string Take(ReadOnlySpan<byte> bytes, bool flush)
    {
        int count = _utf8.GetCharCount(bytes, flush);
        Span<char> characters = count <= ShortChunk ? stackalloc char[ShortChunk] : new char[count];
        return new(characters[.._utf8.GetChars(bytes, characters, flush)]);
    }
}

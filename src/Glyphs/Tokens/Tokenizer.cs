using System.Buffers;
using System.Text;

namespace Serving.Glyphs.Tokens;

/// <summary>
/// Text to token ids and back, as a Hugging Face <c>tokenizer.json</c> says: byte-pair encoding with the same ids that the
/// Hugging Face library gives. Immutable: any number of threads may use one.
/// </summary>
public sealed class Tokenizer
{
    private readonly BytePairModel _model;
    private readonly AddedTokens _addedTokens;
    private readonly TextPipeline _pipeline;
    private readonly PieceEncoder _pieces;

    private Tokenizer(TokenizerContent content)
    {
        _model = content.Model;
        _addedTokens = content.AddedTokens;
        _pipeline = content.Pipeline;
        _pieces = new(_model, _pipeline.EncodesBytes);
        VocabularySize = Math.Max(_model.Vocabulary.Size, _addedTokens.Size);
        Fingerprint = TokenizerFingerprint.Of(content);
        SpecialSpellings = [.. _addedTokens.All.Where(token => token.Special).Select(token => token.Content)];
    }

    /// <summary>The highest id + 1. Ids below it may have no token.</summary>
    public int VocabularySize { get; }

    /// <summary><c>sha256:</c> and 64 hex digits over what the tokenizer does: vocabulary, merges in order, added tokens and
    /// the steps around them. White space, the order of keys and the way merges are written do not change it.</summary>
    public string Fingerprint { get; }

    /// <summary>The token of code points that have none; null when such code points leave no token.</summary>
    public int? UnknownId => _model.UnknownId;

    /// <summary>Reads a <c>tokenizer.json</c>.</summary>
    /// <exception cref="TokenizerFormatException">The file is missing or broken, or asks for something that is not
    /// supported; the message says where, what was expected and what was found.</exception>
    public static Tokenizer Load(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        return new(TokenizerReader.Read(path));
    }

    /// <summary>Text to ids.</summary>
    /// <param name="text">UTF-16. A surrogate without its partner is an unknown code point.</param>
    /// <param name="specialTokens">Whether the spelling of a special token in the text is that token. Added tokens that are
    /// not special are always found.</param>
    /// <param name="addSpecialTokens">Put what the file's template adds around the text, such as a leading <c>&lt;s&gt;</c>. The
    /// glyph family's tokenizers have no template.</param>
    /// <returns>Ids from 0 to <see cref="VocabularySize"/> - 1.</returns>
    /// <exception cref="System.Text.RegularExpressions.RegexMatchTimeoutException">The file has a splitting pattern that took
    /// seconds over one word of this text.</exception>
    public int[] Encode(string text, SpecialTokens specialTokens = SpecialTokens.Text, bool addSpecialTokens = true)
    {
        ArgumentNullException.ThrowIfNull(text);
        TokenBuffer output = new(text.Length);
        try
        {
            if (addSpecialTokens) output.Add(_pipeline.Before);
            EncodeBetween(text, 0, specialTokens, ref output);
            if (addSpecialTokens) output.Add(_pipeline.After);
            return output.ToArray();
        }
        finally
        {
            output.Dispose();
        }
    }

    /// <summary>Ids to text: the strings of the tokens, one after the other.</summary>
    /// <param name="ids">An id without a token adds nothing.</param>
    /// <remarks>Bytes that are not UTF-8 become U+FFFD. A file without a decoder joins tokens with nothing between them, where
    /// the Hugging Face library would put spaces.</remarks>
    /// <param name="skipSpecialTokens">Leave out special tokens.</param>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true)
    {
        if (SpellsBytes) return DecodeBytes(ids, skipSpecialTokens);
        StringBuilder text = new(4 * ids.Length);
        foreach (int id in ids)
            if (!skipSpecialTokens || !IsSpecial(id)) text.Append(Spelling(id));
        return text.ToString();
    }

    /// <summary>What one token says: its text, or <c>bytes:\xNN...</c> when it spells bytes that are no text by themselves,
    /// so that different tokens never look the same.</summary>
    /// <exception cref="ArgumentOutOfRangeException">No token has this id.</exception>
    public string TokenText(int id)
    {
        if (Spelling(id) is not { } spelling)
            throw new ArgumentOutOfRangeException(nameof(id), id, $"No token has this id; ids go from 0 to {VocabularySize - 1}.");
        return SpellsBytes ? ByteAlphabet.Show(spelling) : spelling;
    }

    /// <summary>Whether this is the id of a special token: one that stands for no text.</summary>
    public bool IsSpecial(int id) => _addedTokens.IsSpecial(id);

    /// <summary>The bytes that one token spells: of its text in UTF-8, or parts of it; none where no token has the id.</summary>
    public byte[] TokenBytes(int id)
    {
        if (Spelling(id) is not { } spelling) return [];
        if (!SpellsBytes) return Encoding.UTF8.GetBytes(spelling);
        ArrayBufferWriter<byte> bytes = new();
        ByteAlphabet.WriteBytes(spelling, bytes);
        return bytes.WrittenSpan.ToArray();
    }

    /// <summary>The spellings of all special tokens, by id.</summary>
    public IReadOnlyList<string> SpecialSpellings { get; }

    /// <summary>The id of a token, by its string in the vocabulary or among the added tokens.</summary>
    public int? FindId(string token)
    {
        ArgumentNullException.ThrowIfNull(token);
        int id = Math.Max(_addedTokens.Find(token), _model.Vocabulary.Find(token));
        return id >= 0 ? id : null;
    }

    /// <summary>A decoder for ids that arrive one by one; it skips special tokens.</summary>
    public StreamingDecoder CreateDecoder() => new(this);

    /// <summary>Whether <see cref="Spelling"/> is in the <see cref="ByteAlphabet"/> rather than plain text.</summary>
    public bool SpellsBytes => _pipeline.DecodesBytes;

    /// <summary>A token's string as the vocabulary writes it, which glyph tables draw; null where no token has the id.</summary>
    public string? Spelling(int id) => _model.Vocabulary.Text(id) ?? _addedTokens.Text(id);

    /// <summary>[<see cref="VocabularySize"/>] the spelling of every id, empty where no token has it: what glyph tables draw.</summary>
    public string[] Spellings() => [.. Enumerable.Range(0, VocabularySize).Select(id => Spelling(id) ?? "")];

    private string DecodeBytes(ReadOnlySpan<int> ids, bool skipSpecialTokens)
    {
        ArrayBufferWriter<byte> bytes = new(4 * ids.Length + 1);
        foreach (int id in ids)
            if (!(skipSpecialTokens && IsSpecial(id)) && Spelling(id) is { } spelling)
                ByteAlphabet.WriteBytes(spelling, bytes);
        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }

    /// <summary>Encodes a piece of text in which the matchers from <paramref name="stage"/> on have not searched yet.</summary>
    private void EncodeBetween(ReadOnlySpan<char> text, int stage, SpecialTokens specialTokens, ref TokenBuffer output)
    {
        if (stage == _addedTokens.Matchers.Count)
        {
            if (_pipeline.Split is { } split) split.Encode(text, _pieces, ref output);
            else if (text.Length > 0) _pieces.Encode(text, ref output);
            return;
        }

        int from = 0, end = 0;
        while (_addedTokens.Matchers[stage].TryFind(text, ref from, specialTokens, out AddedTokenMatch match))
        {
            if (end < match.Start) EncodeBetween(text[end..match.Start], stage + 1, specialTokens, ref output);
            output.Add(match.Id);
            end = match.End;
        }

        EncodeBetween(text[end..], stage + 1, specialTokens, ref output);
    }
}

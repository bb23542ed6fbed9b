using System.Text;

namespace Serving.Glyphs.Tokens;

/// <summary>Encodes a piece of text that merges as one word: its code points, or its bytes. Immutable.</summary>
internal sealed class PieceEncoder
{
    private readonly BytePairModel _model;
    private readonly CodePointSymbols _codePoints;
    private readonly ByteSymbols? _bytes;
    private readonly BytePairMerger _merger;

    public PieceEncoder(BytePairModel model, bool ofBytes)
    {
        _model = model;
        _codePoints = new(model);
        _bytes = ofBytes ? new(model) : null;
        _merger = new(new(model, _codePoints));
    }

    public void Encode(ReadOnlySpan<char> text, ref TokenBuffer output)
    {
        if (_model.IgnoreMerges && FindWhole(text) is >= 0 and int whole)
        {
            output.Add(whole);
            return;
        }

        Span<int> symbols = output.Reserve(checked(_bytes is null ? text.Length : ByteSymbols.MaxBytesPerChar * text.Length));
        int count = _bytes is null ? _codePoints.Read(text, symbols) : _bytes.Read(text, symbols);
        output.Advance(_merger.Merge(symbols[..count]));
    }

    private int FindWhole(ReadOnlySpan<char> text)
    {
        if (_bytes is null) return _model.Vocabulary.Find(text);
        Span<byte> utf8 = new byte[Encoding.UTF8.GetByteCount(text)];
        Encoding.UTF8.GetBytes(text, utf8);
        Span<char> spelling = new char[utf8.Length];
        for (int i = 0; i < utf8.Length; i++) spelling[i] = ByteAlphabet.Character(utf8[i]);
        return _model.Vocabulary.Find(spelling);
    }
}

namespace Serving.Glyphs.Tokens;

/// <summary>Merges code points over the whole text as if it were one word: the glyph family's way. Immutable.</summary>
internal sealed class WholeTextEncoder
{
    private readonly BytePairModel _model;
    private readonly SymbolTable _symbols;
    private readonly BytePairMerger _merger;

    public WholeTextEncoder(BytePairModel model)
    {
        _model = model;
        _symbols = new(model);
        _merger = new(new(model, _symbols));
    }

    public void Encode(ReadOnlySpan<char> text, ref TokenBuffer output)
    {
        if (_model.IgnoreMerges && _model.Vocabulary.Find(text) is >= 0 and int whole)
        {
            output.Add(whole);
            return;
        }

        Span<int> symbols = output.Reserve(text.Length);
        int count = _symbols.Read(text, symbols);
        output.Advance(_merger.Merge(symbols[..count]));
    }
}

using System.Text;
using System.Text.RegularExpressions;
using Serving.Glyphs.Embeddings;
using Serving.Glyphs.Tokens;
using Serving.Glyphs.Unicode;

namespace Serving.Server.Inspection;

/// <summary>Describes tokens of a table.</summary>
internal sealed partial class TokenReader(TableInspection table)
{
    private const int MaxIdentical = 256;
    private const string BytesPrefix = "bytes:";

    private readonly Tokenizer _tokenizer = table.Tokenizer;

    /// <summary>Describes tokens, all their neighbours found in one scan of the table.</summary>
    /// <param name="ids">Rows of the table.</param>
    /// <param name="neighbors">How many of each; 0 = none.</param>
    /// <param name="withVectors">Whether the rows are told.</param>
    /// <param name="withGlyphs">Whether the pictures are.</param>
    public TokenDescription[] Describe(IReadOnlyList<int> ids, int neighbors = 0, bool withVectors = false, bool withGlyphs = true)
    {
        int[] distinct = [.. ids.Distinct()];
        Neighbor[][] nearest = neighbors > 0 ? table.Nearest.Of(distinct, neighbors) : [.. distinct.Select(_ => Array.Empty<Neighbor>())];
        Dictionary<int, TokenDescription> byId = distinct.Select((id, i) => Describe(id) with
        {
            Neighbors = neighbors > 0 ? [.. nearest[i].Select(one => new NeighborDescription(one.Id, TextOf(one.Id), one.Cosine))] : null,
            Vector = withVectors ? table.Table.Row(id).ToArray() : null,
            Glyph = withGlyphs ? Glyph.Of(table.Pictures, table.SpellingOf(id)) : null,
        }).ToDictionary(token => token.Id);
        return [.. ids.Select(id => byId[id])];
    }

    /// <summary>What a token says; null where no token has the id.</summary>
    public string? TextOf(int id) => _tokenizer.Spelling(id) is null ? null : _tokenizer.TokenText(id);

    private TokenDescription Describe(int id)
    {
        string? text = TextOf(id);
        string kind = KindOf(id, text);
        Rune[] runes = kind is "byte" or "unused" ? [] : [.. (text ?? "").EnumerateRunes()];
        int[] identical = [.. table.Duplicates.Of(id)];
        return new TokenDescription
        {
            Id = id,
            Text = text,
            CodePoints = [.. runes.Select(rune => $"U+{rune.Value:X4}")],
            Names = [.. runes.Select(rune => UnicodeNames.Bundled.NameOf(rune.Value))],
            Blocks = [.. runes.Select(rune => UnicodeNames.Bundled.BlockOf(rune.Value))],
            Kind = kind,
            Norm = table.Table.Norm(id),
            Identical = identical.Length <= MaxIdentical ? identical : identical[..MaxIdentical],
            IdenticalCount = identical.Length,
        };
    }

    private string KindOf(int id, string? text)
    {
        if (text is null || Unused().IsMatch(text))
            return "unused";
        if (_tokenizer.IsSpecial(id) || Special().IsMatch(text))
            return "special";
        if (_tokenizer.SpellsBytes && text.StartsWith(BytesPrefix, StringComparison.Ordinal))
            return "byte";
        return text.EnumerateRunes().Count() == 1 ? "character" : "ngram";
    }

    // Places of the published vocabularies that no text reaches.
    [GeneratedRegex("^<unused_[0-9]+>$")]
    private static partial Regex Unused();

    [GeneratedRegex("^<special_token_[0-9]+>$")]
    private static partial Regex Special();
}

using System.ComponentModel;
using Serving.Glyphs.Embeddings;

namespace Serving.Server.Inspection;

/// <summary>Tokens in the plane in which their rows differ most.</summary>
internal sealed record TokenMap(
    [property: Description("Of the tokens' whole variance, how much the two coordinates show; 0 to 1.")] IReadOnlyList<double> VarianceShown,
    IReadOnlyList<MapPoint> Points)
{
    private const int DefaultTokens = 256;

    [Description("Always embedding_map.")]
    public string Object { get; init; } = "embedding_map";

    public static TokenMap Of(TableInspection table, IReadOnlyList<int> ids)
    {
        var tokens = new TokenReader(table);
        PrincipalMap map = PrincipalMap.Of(table.Table, ids);
        return new TokenMap([map.Shares.X, map.Shares.Y],
            [.. ids.Select((id, i) => new MapPoint(id, tokens.TextOf(id), map.Points[i].X, map.Points[i].Y, Glyph.Of(table.Pictures, table.SpellingOf(id))))]);
    }

    /// <summary>Tokens spread evenly over a vocabulary, where none are chosen.</summary>
    public static int[] Spread(TableInspection table)
    {
        int[] used = [.. Enumerable.Range(0, table.Table.Rows).Where(id => table.Tokenizer.Spelling(id) is not null)];
        int step = Math.Max(used.Length / DefaultTokens, 1);
        return [.. used.Where((_, i) => i % step == 0).Take(DefaultTokens)];
    }
}

/// <summary>A token's place.</summary>
internal sealed record MapPoint(int Id, string? Text, float X, float Y, Glyph Glyph);

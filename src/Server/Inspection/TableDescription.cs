using System.ComponentModel;
using Serving.Glyphs.Embeddings;
using Serving.Server.Models;

namespace Serving.Server.Inspection;

/// <summary>The table that a model reads.</summary>
internal sealed record TableDescription
{
    [Description("Always embedding_table.")]
    public string Object { get; init; } = "embedding_table";

    public required string Model { get; init; }

    [Description("Tokens.")]
    public required int Rows { get; init; }

    [Description("Length of a row.")]
    public required int Dimensions { get; init; }

    [Description("glyph: pictures of the tokens. binary: rows of 0 and 1. float: other numbers. none: the digits of the token's id, without a table.")]
    public required string Source { get; init; }

    [Description("How the pictures became rows; null unless source is glyph.")]
    public required string? Recipe { get; init; }

    [Description("Whether the rows were computed rather than learned; a table of float numbers of many lengths is taken for learned.")]
    public required bool Frozen { get; init; }

    [Description("Equal for models on the same table; null without a table.")]
    public required string? Fingerprint { get; init; }

    [Description("Whether every row that is not all zeros has length 1.")]
    public required bool UnitNorm { get; init; }

    [Description("Rows that repeat an earlier one.")]
    public required int DuplicateRows { get; init; }

    [Description("Other models of this server that read the same memory.")]
    public required IReadOnlyList<string> SharedWith { get; init; }

    [Description("Of the table.")]
    public required long Bytes { get; init; }

    [Description("What the models on this table do not take because they share it.")]
    public required long BytesSaved { get; init; }

    public static TableDescription Of(ServedModel model, TableInspection table, string[] sharers)
    {
        long bytes = table.Kind == TableKind.None ? 0 : table.Table.Bytes;
        return new TableDescription
        {
            Model = model.Id,
            Rows = table.Table.Rows,
            Dimensions = table.Table.Dimensions,
            Source = NameOf(table.Kind),
            Recipe = table.Recipe?.Name,
            Frozen = table.IsFrozen,
            Fingerprint = model.Facts.EmbeddingFingerprint,
            UnitNorm = table.IsUnitNorm,
            DuplicateRows = table.Duplicates.Count,
            SharedWith = sharers,
            Bytes = bytes,
            BytesSaved = bytes * sharers.Length,
        };
    }

    /// <summary>The kind's name on the wire.</summary>
    public static string NameOf(TableKind kind) => kind switch
    {
        TableKind.Glyph => "glyph",
        TableKind.Binary => "binary",
        TableKind.None => "none",
        _ => "float",
    };
}

using System.ComponentModel;

namespace Serving.Server.Inspection;

/// <summary>The picture that a token's row holds, got back by inverting the projection: mean + length · Dᵀ row.</summary>
internal sealed record RebuiltGlyph
{
    [Description("Always rebuilt_glyph.")]
    public string Object { get; init; } = "rebuilt_glyph";

    public required int Id { get; init; }

    [Description("How many of the row's first numbers were used.")]
    public required int Components { get; init; }

    [Description("Length of a row.")]
    public required int Dimensions { get; init; }

    [Description("What the row was divided by to have length 1. The row has forgotten it; it is measured on the original picture.")]
    public required float Length { get; init; }

    public required int Width { get; init; }

    public required int Height { get; init; }

    [Description("From the top left, row after row; 0 is paper, 1 is ink, and values may lie outside.")]
    public required IReadOnlyList<float> Pixels { get; init; }

    [Description("Pixels that are nearer to the wrong one of paper and ink.")]
    public required int WrongPixels { get; init; }

    [Description("Mean squared error a pixel with the first 0, 1, 2, … numbers of the row.")]
    public required IReadOnlyList<float> Errors { get; init; }

    public static RebuiltGlyph Of(TableInspection table, int id, int components)
    {
        byte[] bits = table.Pictures.Bits(table.SpellingOf(id));
        ReadOnlySpan<float> row = table.Table.Row(id);
        float length = table.Projection.LengthOf(bits);
        float[] pixels = table.Pictures.Arrange<float>(table.Projection.Rebuild(row, length, components));
        bool[] original = table.Pictures.Arrange(bits);
        return new RebuiltGlyph
        {
            Id = id,
            Components = components,
            Dimensions = table.Table.Dimensions,
            Length = length,
            Width = table.Pictures.Side,
            Height = table.Pictures.Side,
            Pixels = pixels,
            WrongPixels = pixels.Zip(original).Count(pair => pair.First > 0.5f != pair.Second),
            Errors = table.Projection.ErrorsOf(row, length, bits),
        };
    }
}

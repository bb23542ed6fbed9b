using System.ComponentModel;
using System.Text.Json.Serialization;

namespace Serving.Server.Inspection;

/// <summary>A token and what the model reads in its place.</summary>
internal sealed record TokenDescription
{
    public required int Id { get; init; }

    [Description("Null where no token has the id.")]
    public required string? Text { get; init; }

    [Description("As U+0416.")]
    public required IReadOnlyList<string> CodePoints { get; init; }

    [Description("Unicode's names of the code points; null where Unicode has none.")]
    public required IReadOnlyList<string?> Names { get; init; }

    [Description("The Unicode blocks of the code points.")]
    public required IReadOnlyList<string?> Blocks { get; init; }

    [Description("character, ngram, special, unused or byte.")]
    public required string Kind { get; init; }

    [Description("The length of its row.")]
    public required double Norm { get; init; }

    [Description("The ids of other tokens with the same row, up to 256 of them: the model cannot tell them apart.")]
    public required IReadOnlyList<int> Identical { get; init; }

    [Description("How many others have the same row.")]
    public required int IdenticalCount { get; init; }

    [Description("Its picture, unless asked without. Only a table of source glyph was made of it.")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Glyph? Glyph { get; init; }

    [Description("Its row, when asked for; the bits of a binary code or of the id as 0 and 1.")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<float>? Vector { get; init; }

    [Description("The nearest rows by cosine, best first, when asked for.")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<NeighborDescription>? Neighbors { get; init; }
}

/// <summary>A row near another.</summary>
internal sealed record NeighborDescription(int Id, string? Text, float Cosine);

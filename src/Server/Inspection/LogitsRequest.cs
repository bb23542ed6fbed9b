using System.ComponentModel;

namespace Serving.Server.Inspection;

/// <summary>The body of <c>POST /v1/models/{id}/logits</c>.</summary>
internal sealed record LogitsRequest
{
    [Description("Token ids, at least one and up to the model's context.")]
    public int[]? Tokens { get; set; }

    [Description("How many of the last positions to tell, each what follows its token. Default 1; up to 4,194,304 numbers in all.")]
    public int? Last { get; set; }
}

/// <summary>Its answer.</summary>
internal sealed record Logits(
    string Model,
    string SystemFingerprint,
    [property: Description("Positions told.")] int Rows,
    [property: Description("Numbers of a position, one a token.")] int VocabSize,
    [property: Description("[rows][vocab_size] little-endian float32 in base64: what the model says before any softmax, to the last bit.")] string Data)
{
    [Description("Always logits.")]
    public string Object { get; init; } = "logits";
}

using System.ComponentModel;

namespace Serving.Server.Tokens;

/// <summary>The answer of <c>GET /tokenizer_info</c>.</summary>
internal sealed record TokenizerInfo
{
    [Description("The model that was asked about, or the first one of the server.")]
    public required string Model { get; init; }

    [Description("The token that ends a text; null where there is none, as with the other two.")]
    public required string? EosToken { get; init; }

    [Description("The token that begins a text.")]
    public required string? BosToken { get; init; }

    [Description("The token that stands where there is none.")]
    public required string? PadToken { get; init; }

    public required int VocabSize { get; init; }

    [Description("Equal for models that cut text into the same tokens.")]
    public required string TokenizerFingerprint { get; init; }

    [Description("The model's own chat template, a Jinja text; null where chat uses the server's plain one.")]
    public required string? ChatTemplate { get; init; }

    [Description("Why the model's own chat template is not used; null when it is, or when there is none.")]
    public required string? ChatTemplateFault { get; init; }
}

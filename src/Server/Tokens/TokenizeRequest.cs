using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Serving.Server.Tokens;

/// <summary>The body of <c>POST /tokenize</c>, as it came.</summary>
internal sealed record TokenizeRequest
{
    [Description("The id of a model or ensemble. Default: the first model of the server.")]
    public string? Model { get; set; }

    [Description("The text; may be empty.")]
    public string? Prompt { get; set; }

    [Description("Put what the tokenizer's own template adds around a text. The glyph family's have none. Default true.")]
    public bool? AddSpecialTokens { get; set; }

    [Description("How a literal <s> in the text is read: \"text\" as characters, \"parse\" as the control token. Default text, "
        + "but a text that is nothing but the spelling of one control token is that token.")]
    public string? SpecialTokens { get; set; }

    /// <summary>Fields that this server does not know.</summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Unknown { get; set; }
}

/// <summary>The answer of <c>POST /tokenize</c>.</summary>
/// <param name="Tokens">The ids.</param>
/// <param name="TokenStrs">Each token's text, or <c>bytes:\xNN</c> where it is part of a character.</param>
/// <param name="Count">How many.</param>
/// <param name="MaxModelLen">The most tokens of prompt and answer together.</param>
internal sealed record TokenizeAnswer(
    int[] Tokens,
    [property: Description("Each token's text, or bytes:\\xNN where it is part of a character.")] string[] TokenStrs,
    int Count,
    [property: Description("The most tokens of prompt and answer together.")] int MaxModelLen);

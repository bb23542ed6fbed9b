using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Serving.Server.Tokens;

/// <summary>The body of <c>POST /detokenize</c>, as it came.</summary>
internal sealed record DetokenizeRequest
{
    [Description("The id of a model or ensemble. Default: the first model of the server.")]
    public string? Model { get; set; }

    [Description("Token ids; may be empty.")]
    public int[]? Tokens { get; set; }

    /// <summary>Fields that this server does not know.</summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Unknown { get; set; }
}

/// <summary>The answer of <c>POST /detokenize</c>.</summary>
/// <param name="Prompt">The text, control tokens by their spelling.</param>
internal sealed record DetokenizeAnswer([property: Description("The text, control tokens by their spelling.")] string Prompt);

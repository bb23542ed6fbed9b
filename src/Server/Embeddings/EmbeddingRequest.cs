using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Serialization;
using Serving.Server.Completions;

namespace Serving.Server.Embeddings;

/// <summary>The body of <c>POST /v1/embeddings</c>, as it came.</summary>
internal sealed record EmbeddingRequest
{
    [Description("The id of a model from GET /v1/models. An ensemble has input vectors, but no hidden states.")]
    public string? Model { get; set; }

    [Description("A text, up to 2048 texts, one list of token ids, or up to 2048 lists.")]
    public CompletionPrompt? Input { get; set; }

    [Description("\"float\" for arrays of numbers, \"base64\" for little-endian float32. Default float.")]
    public string? EncodingFormat { get; set; }

    [Description("\"last\": the mean of the final hidden states of all tokens. \"input\": the mean of their frozen input vectors. "
        + "Default last.")]
    public string? Layer { get; set; }

    [Description("Only the model's own width: vectors are not cut.")]
    public int? Dimensions { get; set; }

    [Description("A name for the caller's own user; not used.")]
    public string? User { get; set; }

    [Description("How a literal <s> in a text is read: \"text\" as characters, \"parse\" as the control token. Default text.")]
    public string? SpecialTokens { get; set; }

    /// <summary>Fields that this server does not know.</summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Unknown { get; set; }
}

using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Serialization;
using Serving.Server.Completions;

namespace Serving.Server.Chat;

/// <summary>The body of <c>POST /v1/chat/completions</c>.</summary>
internal sealed record ChatRequest : GenerationFields
{
    [Description("The conversation, 1 to 4096 messages; it becomes a prompt by the model's own chat template, or else by the plain one.")]
    public List<ChatMessage?>? Messages { get; set; }

    [Description("The most tokens to generate. Default: what the context leaves.")]
    public int? MaxTokens { get; set; }

    [Description("The same under its newer name.")]
    public int? MaxCompletionTokens { get; set; }

    [Description("Report the log-probability of each token. Default false.")]
    public bool? Logprobs { get; set; }

    [Description("0 to 20: with logprobs, report this many alternatives for each token. Default 0.")]
    public int? TopLogprobs { get; set; }
}

/// <summary>One message of a conversation.</summary>
internal sealed record ChatMessage
{
    [Description("system (or developer, which is the same), user or assistant.")]
    public string? Role { get; set; }

    [Description("The text, or a list of parts of type text.")]
    public ChatContent? Content { get; set; }

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Unknown { get; set; }
}

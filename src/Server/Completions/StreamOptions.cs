using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Serving.Server.Completions;

/// <summary>Only together with <c>stream: true</c>.</summary>
internal sealed record StreamOptions
{
    [Description("End the stream with one chunk without choices that carries the usage. Default false.")]
    public bool? IncludeUsage { get; set; }

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Unknown { get; set; }
}

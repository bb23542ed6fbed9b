using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Serving.Server.Ensembles;

/// <summary>An ensemble as a request or <c>ensembles.json</c> writes it: nothing in it is checked beyond its JSON types.</summary>
internal sealed record EnsembleDefinition
{
    [Description("1 to 8 models with one tokenizer.")]
    public List<ExpertDefinition?>? Experts { get; set; }

    [Description("What is averaged: \"logits\", before the softmax, or \"probs\". Default logits.")]
    public string? Combine { get; set; }

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Unknown { get; set; }

    /// <summary>The paths of all fields that are none of an ensemble's.</summary>
    public IEnumerable<string> UnknownFields() =>
        (Unknown?.Keys ?? Enumerable.Empty<string>()).Concat((Experts ?? []).SelectMany((expert, i) =>
            (expert?.Unknown?.Keys ?? Enumerable.Empty<string>()).Select(key => $"experts[{i}].{key}")));
}

/// <summary>A member of an ensemble.</summary>
internal sealed record ExpertDefinition
{
    [Description("The id of a model.")]
    public string? Model { get; set; }

    [Description("0 to 1000000; weights are divided by their sum. Default 1.")]
    public double? Weight { get; set; }

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Unknown { get; set; }
}

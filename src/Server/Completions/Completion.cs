using System.ComponentModel;
using System.Text.Json.Serialization;
using Serving.Server.Ensembles;

namespace Serving.Server.Completions;

/// <summary>A whole answer, or one chunk of a streamed one: the shape is the same.</summary>
internal record Completion
{
    [Description("The same in all chunks of a stream.")]
    public required string Id { get; init; }

    [Description("Always text_completion.")]
    public string Object { get; init; } = "text_completion";

    [Description("Seconds since 1970.")]
    public required long Created { get; init; }

    public required string Model { get; init; }

    [Description("Changes with the weights, the tokenizer or the arithmetic behind the answer.")]
    public required string SystemFingerprint { get; init; }

    [Description("Of an ensemble: the members and weights that made this answer, whatever became of its definition meanwhile.")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public EnsembleWeights? Ensemble { get; init; }

    public required IReadOnlyList<CompletionChoice> Choices { get; init; }

    [Description("In a stream only when asked for, and then null in all chunks but the last.")]
    public CompletionUsage? Usage { get; init; }
}

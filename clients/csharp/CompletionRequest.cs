using System.Text.Json.Serialization;

namespace Serving.Client;

/// <summary>What to generate, on every route that generates. Null leaves the choice to the server.</summary>
public abstract record GenerationOptions
{
    /// <summary>A model, an ensemble, or a sum such as <c>glyph-en+glyph-ru</c>.</summary>
    public string? Model { get; init; }

    /// <summary>The most tokens to generate.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>Nothing ends the answer before this many tokens. Default 0.</summary>
    public int? MinTokens { get; init; }

    /// <summary>0 to 2; 0 always picks the most likely token. Default 1.</summary>
    public double? Temperature { get; init; }

    /// <summary>Above 0, up to 1: keep the smallest set of tokens whose probability reaches this.</summary>
    public double? TopP { get; init; }

    /// <summary>Keep this many of the most likely tokens.</summary>
    public int? TopK { get; init; }

    /// <summary>0 to 1: drop tokens less likely than this share of the most likely one.</summary>
    public double? MinP { get; init; }

    /// <summary>The same seed gives the same answer.</summary>
    public long? Seed { get; init; }

    /// <summary>Up to 16 texts that end the answer.</summary>
    public IReadOnlyList<string>? Stop { get; init; }

    /// <summary>Token ids that end the answer.</summary>
    public IReadOnlyList<int>? StopTokenIds { get; init; }

    /// <summary>Whether the end-of-text token is like any other.</summary>
    public bool? IgnoreEos { get; init; }

    /// <summary>-2 to 2.</summary>
    public double? PresencePenalty { get; init; }

    /// <summary>-2 to 2.</summary>
    public double? FrequencyPenalty { get; init; }

    /// <summary>Above 0, up to 2; 1 = none.</summary>
    public double? RepetitionPenalty { get; init; }

    /// <summary>Added to the logits of these tokens; -100 to 100.</summary>
    public IReadOnlyDictionary<int, double>? LogitBias { get; init; }

    /// <summary><c>text</c> (default) or <c>parse</c>: how the spelling of a control token in a text is read.</summary>
    public string? SpecialTokens { get; init; }
}

/// <summary>The body of a completion.</summary>
public sealed record CompletionRequest : GenerationOptions
{
    /// <summary>Text, texts, ids or lists of ids; null begins a new text.</summary>
    public Prompt? Prompt { get; init; }

    /// <summary>Answers to each prompt. Default 1.</summary>
    public int? N { get; init; }

    /// <summary>Generate this many and return the best <see cref="N"/>; not for streams.</summary>
    public int? BestOf { get; init; }

    /// <summary>0 to 20: report log-probabilities, with this many alternatives.</summary>
    public int? Logprobs { get; init; }

    /// <summary>Begin the answer with the prompt; with <see cref="Logprobs"/>, score it, too.</summary>
    public bool? Echo { get; init; }

    /// <summary>Models to be averaged, instead of <see cref="GenerationOptions.Model"/>.</summary>
    public EnsembleDefinition? Ensemble { get; init; }

    /// <summary>Report what each member of an ensemble would have said.</summary>
    public bool? ExpertLogprobs { get; init; }

    [JsonInclude]
    internal bool? Stream { get; init; }

    [JsonInclude]
    internal StreamOptions? StreamOptions { get; init; }
}

internal sealed record StreamOptions(bool IncludeUsage);

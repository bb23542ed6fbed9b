using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Serialization;
using Serving.Server.Ensembles;

namespace Serving.Server.Completions;

/// <summary>What a body may say about generation on every route that generates, as it came: nothing in it is checked beyond its
/// JSON types; <see cref="GenerationValidator"/> does that.</summary>
/// <remarks>Settable because the serializer would otherwise bind through a constructor and lose a wrong type's name.</remarks>
internal abstract record GenerationFields
{
    [Description("The id of a model or ensemble from GET /v1/models, or a sum of models such as glyph-en+glyph-ru.")]
    public string? Model { get; set; }

    [Description("No end-of-text token, stop token or stop text ends the answer before this many tokens. Default 0.")]
    public int? MinTokens { get; set; }

    [Description("0 to 2. 0 always picks the most likely token. Default 1.")]
    public double? Temperature { get; set; }

    [Description("Above 0, up to 1: keep the smallest set of tokens whose probability reaches this. Default 1.")]
    public double? TopP { get; set; }

    [Description("Keep this many of the most likely tokens; 0 or -1 keeps all. Default 0.")]
    public int? TopK { get; set; }

    [Description("0 to 1: drop tokens less likely than this share of the most likely one. Default 0.")]
    public double? MinP { get; set; }

    [Description("Answers to each prompt. Default 1.")]
    public int? N { get; set; }

    [Description("Send server-sent events, one or more a token, then [DONE]. Default false.")]
    public bool? Stream { get; set; }

    public StreamOptions? StreamOptions { get; set; }

    [Description("A text or up to 16 texts that end the answer; none is ever part of it.")]
    public StopTexts? Stop { get; set; }

    [Description("Token ids that end the answer like the end-of-text token.")]
    public int[]? StopTokenIds { get; set; }

    [Description("Treat the end-of-text token like any other. Default false.")]
    public bool? IgnoreEos { get; set; }

    [Description("-2 to 2: subtracted from the logits of tokens that were generated before. Default 0.")]
    public double? PresencePenalty { get; set; }

    [Description("-2 to 2: subtracted from a token's logit once per time it was generated. Default 0.")]
    public double? FrequencyPenalty { get; set; }

    [Description("Above 0, up to 2: weakens tokens of the prompt and the answer. Default 1.")]
    public double? RepetitionPenalty { get; set; }

    [Description("Token ids and what is added to their logits, -100 to 100. Up to 300.")]
    public Dictionary<string, double>? LogitBias { get; set; }

    [Description("The same seed gives the same answer. Random when left out.")]
    public long? Seed { get; set; }

    [Description("A name for the caller's own user; not used.")]
    public string? User { get; set; }

    [Description("How a literal <s> in a text is read: \"text\" as characters, \"parse\" as the control token. Default text.")]
    public string? SpecialTokens { get; set; }

    [Description("Models to be averaged, instead of a model.")]
    public EnsembleDefinition? Ensemble { get; set; }

    /// <summary>Fields that this server does not know: ignored, or refused with <c>X-Strict: 1</c>.</summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Unknown { get; set; }
}

using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Serialization;
using Serving.Server.Completions;

namespace Serving.Server.Comparisons;

/// <summary>The body of <c>POST /v1/compare</c>, as it came: a prompt to continue, or a text to score.</summary>
internal sealed record CompareRequest
{
    [Description("2 to 8 models, ensembles or sums of models to continue a prompt; 1 to 8 to score a text.")]
    public List<string?>? Models { get; set; }

    [Description("A text or a list of token ids that every model continues. Either this or text.")]
    public CompletionPrompt? Prompt { get; set; }

    [Description("A text whose log-probability every model tells. Either this or prompt.")]
    public string? Text { get; set; }

    [Description("With text: score every ensemble without each of its members, too. Default false.")]
    public bool? LeaveOneOut { get; set; }

    [Description("How a literal <s> is read: \"text\" as characters, \"parse\" as the control token. Default text.")]
    public string? SpecialTokens { get; set; }

    [Description("With prompt: the most tokens to generate. Default 16.")]
    public int? MaxTokens { get; set; }

    [Description("With prompt, as in completions.")]
    public int? MinTokens { get; set; }

    [Description("With prompt: 0 to 2. 0 always picks the most likely token. Default 1.")]
    public double? Temperature { get; set; }

    [Description("With prompt, as in completions.")]
    public double? TopP { get; set; }

    [Description("With prompt, as in completions.")]
    public int? TopK { get; set; }

    [Description("With prompt, as in completions.")]
    public double? MinP { get; set; }

    [Description("With prompt: the same for all models. Random when left out.")]
    public long? Seed { get; set; }

    [Description("With prompt, as in completions.")]
    public StopTexts? Stop { get; set; }

    [Description("With prompt, as in completions.")]
    public int[]? StopTokenIds { get; set; }

    [Description("With prompt, as in completions.")]
    public bool? IgnoreEos { get; set; }

    [Description("With prompt, as in completions.")]
    public double? PresencePenalty { get; set; }

    [Description("With prompt, as in completions.")]
    public double? FrequencyPenalty { get; set; }

    [Description("With prompt, as in completions.")]
    public double? RepetitionPenalty { get; set; }

    [Description("With prompt, as in completions.")]
    public Dictionary<string, double>? LogitBias { get; set; }

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Unknown { get; set; }

    /// <summary>The same wish for one model, as a completion.</summary>
    public CompletionRequest ToCompletion(string? model, long seed) => new()
    {
        Model = model,
        Prompt = Prompt,
        SpecialTokens = SpecialTokens,
        MaxTokens = MaxTokens,
        MinTokens = MinTokens,
        Temperature = Temperature,
        TopP = TopP,
        TopK = TopK,
        MinP = MinP,
        Seed = seed,
        Stop = Stop,
        StopTokenIds = StopTokenIds,
        IgnoreEos = IgnoreEos,
        PresencePenalty = PresencePenalty,
        FrequencyPenalty = FrequencyPenalty,
        RepetitionPenalty = RepetitionPenalty,
        LogitBias = LogitBias,
        Logprobs = 0,
    };

    /// <summary>Fields that say how to generate, which a text to score has no use for.</summary>
    public IEnumerable<string> GenerationFields() => new (string Name, object? Value)[]
    {
        ("max_tokens", MaxTokens), ("min_tokens", MinTokens), ("temperature", Temperature), ("top_p", TopP), ("top_k", TopK),
        ("min_p", MinP), ("seed", Seed), ("stop", Stop), ("stop_token_ids", StopTokenIds), ("ignore_eos", IgnoreEos),
        ("presence_penalty", PresencePenalty), ("frequency_penalty", FrequencyPenalty),
        ("repetition_penalty", RepetitionPenalty), ("logit_bias", LogitBias),
    }.Where(field => field.Value is not null).Select(field => field.Name);
}

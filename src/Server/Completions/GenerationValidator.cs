using System.Globalization;
using Serving.Glyphs.Tokens;
using Serving.Inference;
using Serving.Inference.Sampling;
using Serving.Server.Errors;
using Serving.Server.Models;

namespace Serving.Server.Completions;

/// <summary>Checks the fields that all routes that generate have in common, and token ids wherever they come from. What is wrong
/// goes to the list of problems; a value that comes back beside a problem means nothing. Made for one request.</summary>
/// <param name="model">The model that the request names.</param>
/// <param name="problems">Where problems go.</param>
internal sealed class GenerationValidator(ServedModel model, ProblemList problems)
{
    private const int MaxShownChars = 64;

    /// <summary>Everything that the answers to one request have in common.</summary>
    /// <param name="fields">The body.</param>
    /// <param name="caller">Who asks.</param>
    /// <param name="maxTokens">The most tokens to generate, already checked.</param>
    /// <param name="logprobs">Alternatives to report, already checked.</param>
    public GenerationRequest Template(GenerationFields fields, Caller caller, int maxTokens, int? logprobs) => new()
    {
        Id = caller.RequestId,
        CacheScope = caller.Scope,
        PromptTokens = [],
        MaxTokens = maxTokens,
        MinTokens = problems.Integer("min_tokens", fields.MinTokens, 0, Math.Max(maxTokens, 0), absent: 0),
        Sampling = Sampling(fields),
        Stop = StopTexts(fields.Stop),
        StopTokenIds = StopTokenIds(fields.StopTokenIds),
        IgnoreEndOfText = fields.IgnoreEos ?? false,
        Logprobs = logprobs,
        LogitBias = Biases(fields.LogitBias),
    };

    /// <summary>The most tokens to generate.</summary>
    public int MaxTokens(string param, int? value, int absent) => problems.Integer(param, value, 0, model.ContextTokens, absent);

    /// <summary>How many alternatives to report for each token; null for no log-probabilities.</summary>
    public int? Logprobs(string param, int? value) => value is null
        ? null
        : problems.Integer(param, value, 0, Math.Min(CompletionLimits.MaxLogprobs, model.VocabularySize), absent: 0);

    /// <summary>How the spelling of a control token in a text is read.</summary>
    public SpecialTokens SpecialTokens(string? value) => problems.Choice("special_tokens", value, "text", "parse") == "parse"
        ? Glyphs.Tokens.SpecialTokens.Parse
        : Glyphs.Tokens.SpecialTokens.Text;

    /// <summary>Checks that prompt and answer fit the context.</summary>
    /// <param name="param">The prompt's field.</param>
    /// <param name="promptTokens">Its tokens.</param>
    /// <param name="maxTokens">The most tokens to generate; null where the request does not say.</param>
    public void CheckLength(string param, int promptTokens, int? maxTokens)
    {
        int needed = maxTokens ?? 1;
        if (promptTokens <= model.ContextTokens - needed)
            return;
        problems.Add(param, $"This model's maximum context length is {model.ContextTokens} tokens. However, you requested "
            + $"{(long)promptTokens + needed} tokens ({promptTokens} in '{param}'; {needed} for the completion"
            + $"{(maxTokens is null ? ", the least there can be" : ", max_tokens")}). Shorten the prompt or lower max_tokens.",
            ErrorCode.ContextLengthExceeded);
    }

    /// <summary>Checks that ids are tokens of the model.</summary>
    public void CheckIds(string param, int[] ids)
    {
        int bad = Array.FindIndex(ids, id => (uint)id >= (uint)model.VocabularySize);
        if (bad >= 0)
            problems.Add($"{param}[{bad}]", $"A token id must be from 0 to {model.VocabularySize - 1}; {param}[{bad}] is {ids[bad]}.");
    }

    /// <summary>Checks what belongs to a stream.</summary>
    public void CheckStream(GenerationFields fields)
    {
        if (fields.StreamOptions is not null && fields.Stream is not true)
            problems.Add("stream_options", "'stream_options' is only allowed together with 'stream': true.");
    }

    /// <summary>Refuses fields that are not known, as <c>X-Strict: 1</c> asks.</summary>
    public void CheckUnknown(GenerationFields fields) => CheckUnknown((fields.Unknown?.Keys ?? Enumerable.Empty<string>())
        .Concat((fields.StreamOptions?.Unknown?.Keys ?? Enumerable.Empty<string>()).Select(key => $"stream_options.{key}"))
        .Concat((fields.Ensemble?.UnknownFields() ?? []).Select(field => $"ensemble.{field}")));

    /// <summary>Refuses these fields.</summary>
    public void CheckUnknown(IEnumerable<string> unknown)
    {
        foreach (string field in unknown.Take(CompletionLimits.MaxShownUnknownFields))
        {
            problems.Unsupported(true, Clip(field),
                $"There is no field '{Clip(field)}', and X-Strict: 1 asks for a refusal. Leave it out.");
        }
    }

    private SamplingOptions Sampling(GenerationFields fields)
    {
        float temperature = problems.Number(
            "temperature", fields.Temperature, 0, CompletionLimits.MaxTemperature, CompletionLimits.DefaultTemperature);
        float topP = problems.Number("top_p", fields.TopP, 0, 1, absent: 1, aboveMin: true);
        int topK = problems.Integer("top_k", fields.TopK, -1, int.MaxValue, absent: 0);
        float minP = problems.Number("min_p", fields.MinP, 0, 1, absent: 0);
        ulong seed = unchecked((ulong)(fields.Seed ?? Random.Shared.NextInt64()));
        return new SamplingOptions(temperature, topP, Math.Clamp(topK, 0, model.VocabularySize), minP, seed)
        {
            PresencePenalty = Penalty("presence_penalty", fields.PresencePenalty),
            FrequencyPenalty = Penalty("frequency_penalty", fields.FrequencyPenalty),
            RepetitionPenalty = problems.Number(
                "repetition_penalty", fields.RepetitionPenalty, 0, CompletionLimits.MaxPenalty, absent: 1, aboveMin: true),
        };
    }

    private float Penalty(string param, double? value) =>
        problems.Number(param, value, -CompletionLimits.MaxPenalty, CompletionLimits.MaxPenalty, absent: 0);

    private IReadOnlyList<string> StopTexts(StopTexts? stop)
    {
        IReadOnlyList<string> texts = stop?.Texts ?? [];
        if (texts.Count > CompletionLimits.MaxStopTexts)
            problems.Add("stop", $"'stop' may hold up to {CompletionLimits.MaxStopTexts} texts; {texts.Count} were given.");
        for (int i = 0; i < Math.Min(texts.Count, CompletionLimits.MaxStopTexts); i++)
        {
            if (texts[i].Length is 0 or > CompletionLimits.MaxStopTextChars)
            {
                problems.Add($"stop[{i}]",
                    $"A stop text must have 1 to {CompletionLimits.MaxStopTextChars} characters; stop[{i}] has {texts[i].Length}.");
            }
        }
        return texts;
    }

    private int[] StopTokenIds(int[]? ids)
    {
        if (ids?.Length > CompletionLimits.MaxStopTokenIds)
        {
            problems.Add("stop_token_ids",
                $"'stop_token_ids' may hold up to {CompletionLimits.MaxStopTokenIds} ids; {ids.Length} were given.");
        }
        else
            CheckIds("stop_token_ids", ids ?? []);
        return ids ?? [];
    }

    private List<LogitBias> Biases(Dictionary<string, double>? given)
    {
        if (given?.Count > CompletionLimits.MaxBiasedTokens)
        {
            problems.Add("logit_bias",
                $"'logit_bias' may hold up to {CompletionLimits.MaxBiasedTokens} tokens; {given.Count} were given.");
            return [];
        }
        var biases = new Dictionary<int, LogitBias>();
        foreach ((string key, double value) in given ?? [])
        {
            if (!int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out int id) || id >= model.VocabularySize)
            {
                problems.Add("logit_bias",
                    $"'logit_bias' must be keyed by token ids from 0 to {model.VocabularySize - 1}; '{Clip(key)}' was given.");
            }
            else if (!biases.TryAdd(id, new(id, Bias(key, value))))
                problems.Add("logit_bias", $"'logit_bias' names token {id} twice.");
        }
        return [.. biases.Values];
    }

    private float Bias(string key, double value) =>
        problems.Number($"logit_bias.{key}", value, -CompletionLimits.MaxBias, CompletionLimits.MaxBias, absent: 0);

    private static string Clip(string text) => text.Length <= MaxShownChars ? text : $"{text[..(MaxShownChars - 1)]}…";
}

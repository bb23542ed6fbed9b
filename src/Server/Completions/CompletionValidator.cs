using System.Globalization;
using Serving.Glyphs.Tokens;
using Serving.Inference;
using Serving.Inference.Sampling;
using Serving.Server.Errors;
using Serving.Server.Models;

namespace Serving.Server.Completions;

/// <summary>Turns a request's body into a plan, or tells every problem at once. Made for one request.</summary>
/// <param name="model">The model that the request names.</param>
/// <param name="maxChoices">The most answers that one request may ask for, prompts times n.</param>
/// <param name="defaultMaxTokens">Tokens to generate where the request does not say; less where the context ends.</param>
internal sealed class CompletionValidator(
    ServedModel model, int maxChoices, int defaultMaxTokens = CompletionLimits.DefaultMaxTokens)
{
    private readonly ProblemList _problems = new();

    private int ContextTokens => model.ContextTokens;

    private int VocabularySize => model.VocabularySize;

    /// <param name="request">The body.</param>
    /// <param name="requestId">Names the request to the engine.</param>
    /// <param name="strict">Whether a field that is not known is refused.</param>
    /// <exception cref="ApiException">With every problem's message.</exception>
    public CompletionPlan Validate(CompletionRequest request, string requestId, bool strict)
    {
        CheckUnsupported(request);
        CheckStream(request);
        if (strict)
            CheckUnknown(request);
        int answers = _problems.Integer("n", request.N, 1, maxChoices, absent: 1);
        GenerationRequest template = Template(request, requestId);
        int? maxTokens = request.MaxTokens is null ? null : template.MaxTokens;
        IReadOnlyList<int[]> prompts = Prompts(request, answers, maxTokens);
        _problems.ThrowIfAny();
        return new CompletionPlan(model, Choices(request, template, prompts, answers), prompts.Sum(prompt => prompt.Length),
            request.Stream ?? false, request.StreamOptions?.IncludeUsage ?? false);
    }

    private List<CompletionPlan.Choice> Choices(
        CompletionRequest request, GenerationRequest template, IReadOnlyList<int[]> prompts, int answers)
    {
        var choices = new List<CompletionPlan.Choice>(prompts.Count * answers);
        for (int prompt = 0; prompt < prompts.Count; prompt++)
        {
            int room = ContextTokens - prompts[prompt].Length;
            string? echo = request.Echo is true ? EchoOf(request.Prompt!.Items[prompt]) : null;
            for (int answer = 0; answer < answers; answer++)
            {
                choices.Add(new CompletionPlan.Choice(choices.Count, template with
                {
                    Id = choices.Count == 0 ? template.Id : $"{template.Id}/{choices.Count}",
                    PromptTokens = prompts[prompt],
                    MaxTokens = Math.Min(template.MaxTokens, room),
                    MinTokens = Math.Min(template.MinTokens, room),
                    Sampling = template.Sampling with { Seed = unchecked(template.Sampling.Seed + (ulong)answer) },
                }, echo));
            }
        }
        return choices;
    }

    private string EchoOf(CompletionPrompt.Item item) =>
        item.Text ?? model.Tokenizer.Decode(item.TokenIds, skipSpecialTokens: false);

    // Everything that the prompts have in common.
    private GenerationRequest Template(CompletionRequest request, string requestId)
    {
        int maxTokens = _problems.Integer("max_tokens", request.MaxTokens, 0, ContextTokens, defaultMaxTokens);
        int? logprobs = request.Logprobs is null
            ? null
            : _problems.Integer("logprobs", request.Logprobs, 0, Math.Min(CompletionLimits.MaxLogprobs, VocabularySize), absent: 0);
        return new GenerationRequest
        {
            Id = requestId,
            PromptTokens = [],
            MaxTokens = maxTokens,
            MinTokens = _problems.Integer("min_tokens", request.MinTokens, 0, Math.Max(maxTokens, 0), absent: 0),
            Sampling = Sampling(request),
            Stop = StopTexts(request.Stop),
            StopTokenIds = StopTokenIds(request.StopTokenIds),
            IgnoreEndOfText = request.IgnoreEos ?? false,
            Logprobs = logprobs,
            PromptLogprobs = request.Echo is true ? logprobs : null,
            LogitBias = Biases(request.LogitBias),
            Blend = model.Ensemble?.Blend,
            ExpertLogprobs = request.ExpertLogprobs ?? false,
        };
    }

    private SamplingOptions Sampling(CompletionRequest request)
    {
        float temperature = _problems.Number(
            "temperature", request.Temperature, 0, CompletionLimits.MaxTemperature, CompletionLimits.DefaultTemperature);
        float topP = _problems.Number("top_p", request.TopP, 0, 1, absent: 1, aboveMin: true);
        int topK = _problems.Integer("top_k", request.TopK, -1, int.MaxValue, absent: 0);
        float minP = _problems.Number("min_p", request.MinP, 0, 1, absent: 0);
        ulong seed = unchecked((ulong)(request.Seed ?? Random.Shared.NextInt64()));
        return new SamplingOptions(temperature, topP, Math.Clamp(topK, 0, VocabularySize), minP, seed)
        {
            PresencePenalty = Penalty("presence_penalty", request.PresencePenalty),
            FrequencyPenalty = Penalty("frequency_penalty", request.FrequencyPenalty),
            RepetitionPenalty = _problems.Number(
                "repetition_penalty", request.RepetitionPenalty, 0, CompletionLimits.MaxPenalty, absent: 1, aboveMin: true),
        };
    }

    private float Penalty(string param, double? value) =>
        _problems.Number(param, value, -CompletionLimits.MaxPenalty, CompletionLimits.MaxPenalty, absent: 0);

    private IReadOnlyList<string> StopTexts(StopTexts? stop)
    {
        IReadOnlyList<string> texts = stop?.Texts ?? [];
        if (texts.Count > CompletionLimits.MaxStopTexts)
            _problems.Add("stop", $"'stop' may hold up to {CompletionLimits.MaxStopTexts} texts; {texts.Count} were given.");
        for (int i = 0; i < Math.Min(texts.Count, CompletionLimits.MaxStopTexts); i++)
        {
            if (texts[i].Length is 0 or > CompletionLimits.MaxStopTextChars)
            {
                _problems.Add($"stop[{i}]",
                    $"A stop text must have 1 to {CompletionLimits.MaxStopTextChars} characters; stop[{i}] has {texts[i].Length}.");
            }
        }
        return texts;
    }

    private int[] StopTokenIds(int[]? ids)
    {
        if (ids?.Length > CompletionLimits.MaxStopTokenIds)
        {
            _problems.Add("stop_token_ids",
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
            _problems.Add("logit_bias",
                $"'logit_bias' may hold up to {CompletionLimits.MaxBiasedTokens} tokens; {given.Count} were given.");
            return [];
        }
        var biases = new Dictionary<int, LogitBias>();
        foreach ((string key, double value) in given ?? [])
        {
            if (!int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out int id) || id >= VocabularySize)
            {
                _problems.Add("logit_bias",
                    $"'logit_bias' must be keyed by token ids from 0 to {VocabularySize - 1}; '{Clip(key)}' was given.");
            }
            else if (!biases.TryAdd(id, new(id, Bias(key, value))))
                _problems.Add("logit_bias", $"'logit_bias' names token {id} twice.");
        }
        return [.. biases.Values];
    }

    private float Bias(string key, double value) =>
        _problems.Number($"logit_bias.{key}", value, -CompletionLimits.MaxBias, CompletionLimits.MaxBias, absent: 0);

    private List<int[]> Prompts(CompletionRequest request, int answers, int? maxTokens)
    {
        if (request.SpecialTokens is not (null or "text" or "parse"))
        {
            _problems.Add("special_tokens",
                $"'special_tokens' must be \"text\" or \"parse\"; \"{Clip(request.SpecialTokens)}\" was given.");
        }
        if (request.Prompt is not { Items.Count: > 0 } prompt)
        {
            _problems.Add("prompt", "'prompt' is missing or empty: give a text or a list of token ids.");
            return [];
        }
        if ((long)prompt.Items.Count * answers > maxChoices)
        {
            _problems.Add("prompt", $"A request may ask for up to {maxChoices} answers, prompts times 'n' (setting "
                + $"Serving:MaxChoices); {prompt.Items.Count} prompts with n = {answers} were given. Send them in several requests.");
            return [];
        }
        SpecialTokens special = request.SpecialTokens == "parse" ? SpecialTokens.Parse : SpecialTokens.Text;
        return [.. prompt.Items.Select((item, i) => PromptIds(item, prompt.PathOf(i), special, maxTokens))];
    }

    private int[] PromptIds(CompletionPrompt.Item item, string path, SpecialTokens special, int? maxTokens)
    {
        int[] ids = item.TokenIds ?? model.Tokenizer.Encode(item.Text!, special);
        if (ids.Length == 0)
            _problems.Add(path, $"'{path}' is empty: give at least one character or token id.");
        else
            CheckLength(path, ids.Length, maxTokens);
        if (item.TokenIds is not null)
            CheckIds(path, ids);
        return ids;
    }

    private void CheckLength(string path, int promptTokens, int? maxTokens)
    {
        int needed = maxTokens ?? 1;
        if (promptTokens <= ContextTokens - needed)
            return;
        _problems.Add(path, $"This model's maximum context length is {ContextTokens} tokens. However, you requested "
            + $"{(long)promptTokens + needed} tokens ({promptTokens} in '{path}'; {needed} for the completion"
            + $"{(maxTokens is null ? ", the least there can be" : ", max_tokens")}). Shorten the prompt or lower max_tokens.",
            ErrorCode.ContextLengthExceeded);
    }

    private void CheckIds(string param, int[] ids)
    {
        int bad = Array.FindIndex(ids, id => (uint)id >= (uint)VocabularySize);
        if (bad >= 0)
            _problems.Add($"{param}[{bad}]", $"A token id must be from 0 to {VocabularySize - 1}; {param}[{bad}] is {ids[bad]}.");
    }

    private void CheckStream(CompletionRequest request)
    {
        if (request.StreamOptions is not null && request.Stream is not true)
            _problems.Add("stream_options", "'stream_options' is only allowed together with 'stream': true.");
    }

    private void CheckUnsupported(CompletionRequest request)
    {
        _problems.Unsupported(!string.IsNullOrEmpty(request.Suffix), "suffix",
            "'suffix' is not supported: these models only continue text. Leave it out.");
        _problems.Unsupported(request.BestOf is not null && request.BestOf != (request.N ?? 1), "best_of",
            "'best_of' is not supported beyond 'n': every answer is returned. Leave it out.");
        _problems.Unsupported(request.ExpertLogprobs is true && model.Ensemble is null, "expert_logprobs",
            $"'expert_logprobs' needs an ensemble: '{model.Id}' is a single model. Name a sum such as a+b, or leave it out.");
    }

    private void CheckUnknown(CompletionRequest request)
    {
        IEnumerable<string> unknown = (request.Unknown?.Keys ?? Enumerable.Empty<string>())
            .Concat((request.StreamOptions?.Unknown?.Keys ?? Enumerable.Empty<string>()).Select(key => $"stream_options.{key}"))
            .Concat((request.Ensemble?.UnknownFields() ?? []).Select(field => $"ensemble.{field}"));
        foreach (string field in unknown.Take(CompletionLimits.MaxShownUnknownFields))
        {
            _problems.Unsupported(true, Clip(field),
                $"There is no field '{Clip(field)}', and X-Strict: 1 asks for a refusal. Leave it out.");
        }
    }

    private static string Clip(string text) => text.Length <= 64 ? text : $"{text[..63]}…";
}

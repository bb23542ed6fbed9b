using Serving.Glyphs.Tokens;
using Serving.Inference;
using Serving.Server.Errors;
using Serving.Server.Models;

namespace Serving.Server.Completions;

/// <summary>Turns a completion's body into a plan, or tells every problem at once. Made for one request.</summary>
internal sealed class CompletionValidator
{
    private readonly ServedModel _model;
    private readonly int _maxChoices;
    private readonly int _defaultMaxTokens;
    private readonly ProblemList _problems = new();
    private readonly GenerationValidator _generation;

    /// <param name="model">The model that the request names.</param>
    /// <param name="maxChoices">The most answers that one request may ask for, prompts times n or best_of.</param>
    /// <param name="defaultMaxTokens">Tokens to generate where the request does not say; less where the context ends.</param>
    public CompletionValidator(ServedModel model, int maxChoices, int defaultMaxTokens = CompletionLimits.DefaultMaxTokens)
    {
        (_model, _maxChoices, _defaultMaxTokens) = (model, maxChoices, defaultMaxTokens);
        _generation = new GenerationValidator(model, _problems);
    }

    /// <param name="request">The body.</param>
    /// <param name="caller">Who asks, and how strictly.</param>
    /// <exception cref="ApiException">With every problem's message.</exception>
    public CompletionPlan Validate(CompletionRequest request, Caller caller)
    {
        CheckUnsupported(request);
        _generation.CheckStream(request);
        if (caller.IsStrict)
            _generation.CheckUnknown(request);
        int answers = _problems.Integer("n", request.N, 1, _maxChoices, absent: 1);
        int candidates = Candidates(request, answers);
        GenerationRequest template = Template(request, caller, needsScores: candidates > answers);
        int? maxTokens = request.MaxTokens is null ? null : template.MaxTokens;
        IReadOnlyList<int[]> prompts = Prompts(request, candidates, maxTokens);
        _problems.ThrowIfAny();
        return new CompletionPlan(_model, Choices(request, template, prompts, candidates))
        {
            PromptTokens = prompts.Sum(prompt => prompt.Length),
            Answers = answers,
            Candidates = candidates,
            HasLogprobs = request.Logprobs is not null,
            HasTokenIds = request.ReturnTokenIds ?? false,
            Stream = request.Stream ?? false,
            IncludeUsage = request.StreamOptions?.IncludeUsage ?? false,
        };
    }

    private int Candidates(CompletionRequest request, int answers)
    {
        int candidates = _problems.Integer("best_of", request.BestOf, Math.Max(answers, 1), _maxChoices, absent: answers);
        if (request.Stream is true && candidates > answers)
        {
            _problems.Add("best_of", $"'best_of' above 'n' cannot be streamed, because the best answer is known only at the end; "
                + $"best_of = {candidates} and n = {answers} were given. Leave out one of 'best_of' and 'stream'.");
        }
        return candidates;
    }

    private GenerationRequest Template(CompletionRequest request, Caller caller, bool needsScores)
    {
        int maxTokens = _generation.MaxTokens("max_tokens", request.MaxTokens, _defaultMaxTokens);
        int? logprobs = _generation.Logprobs("logprobs", request.Logprobs);
        return _generation.Template(request, caller, maxTokens, logprobs ?? (needsScores ? 0 : null)) with
        {
            PromptLogprobs = request.Echo is true ? logprobs : null,
            ExpertLogprobs = request.ExpertLogprobs ?? false,
        };
    }

    private List<CompletionPlan.Choice> Choices(
        CompletionRequest request, GenerationRequest template, IReadOnlyList<int[]> prompts, int candidates)
    {
        var choices = new List<CompletionPlan.Choice>(prompts.Count * candidates);
        for (int prompt = 0; prompt < prompts.Count; prompt++)
        {
            string? echo = request.Echo is true ? EchoOf(request.Prompt?.Items[prompt]) : null;
            int room = _model.ContextTokens - prompts[prompt].Length;
            choices.AddRange(CompletionPlan.ChoicesOf(template, prompts[prompt], room, choices.Count, candidates, echo));
        }
        return choices;
    }

    // The token that begins a new text is not text.
    private string EchoOf(CompletionPrompt.Item? item) =>
        item is { } given ? given.Text ?? _model.Tokenizer.Decode(given.TokenIds, skipSpecialTokens: false) : "";

    private List<int[]> Prompts(CompletionRequest request, int candidates, int? maxTokens)
    {
        SpecialTokens special = _generation.SpecialTokens(request.SpecialTokens);
        if (request.Prompt is not { } prompt)
            return [NewText(maxTokens)];
        if (prompt.Items.Count == 0)
        {
            _problems.Add("prompt", "'prompt' is an empty list: give a text or a list of token ids.");
            return [];
        }
        if ((long)prompt.Items.Count * candidates > _maxChoices)
        {
            _problems.Add("prompt", $"A request may ask for up to {_maxChoices} answers, prompts times 'n' or 'best_of' (setting "
                + $"Serving:MaxChoices); {prompt.Items.Count} prompts with {candidates} answers each were given. Send them in several requests.");
            return [];
        }
        return [.. prompt.Items.Select((item, i) => PromptIds(item, prompt.PathOf(i), special, maxTokens))];
    }

    private int[] NewText(int? maxTokens)
    {
        if (_model.Marks.BeginId is not { } begin)
        {
            _problems.Add("prompt", "'prompt' is missing, and this model has no token that begins a text: give a text or a list of token ids.");
            return [];
        }
        _generation.CheckLength("prompt", 1, maxTokens);
        return [begin];
    }

    private int[] PromptIds(CompletionPrompt.Item item, string path, SpecialTokens special, int? maxTokens)
    {
        int[] ids = item.TokenIds ?? _model.Tokenizer.Encode(item.Text!, special);
        if (ids.Length == 0)
            _problems.Add(path, $"'{path}' is empty: give at least one character or token id, or leave 'prompt' out to begin a new text.");
        else
            _generation.CheckLength(path, ids.Length, maxTokens);
        if (item.TokenIds is not null)
            _generation.CheckIds(path, ids);
        return ids;
    }

    private void CheckUnsupported(CompletionRequest request)
    {
        ForeignFields.OfCompletions.Check(request.Unknown, _problems);
        _problems.Unsupported(!string.IsNullOrEmpty(request.Suffix), "suffix",
            "'suffix' is not supported: these models only continue text. Leave it out.");
        _problems.Unsupported(request.ExpertLogprobs is true && _model.Ensemble is null, "expert_logprobs",
            $"'expert_logprobs' needs an ensemble: '{_model.Id}' is a single model. Name a sum such as a+b, or leave it out.");
    }
}

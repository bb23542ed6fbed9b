using Serving.Glyphs.Tokens;
using Serving.Inference;
using Serving.Server.Chat.Jinja;
using Serving.Server.Completions;
using Serving.Server.Errors;
using Serving.Server.Models;

namespace Serving.Server.Chat;

/// <summary>Turns a chat's body into a plan, or tells every problem at once. Made for one request.</summary>
internal sealed class ChatValidator
{
    private const int MaxMessages = 4096;

    private readonly ServedModel _model;
    private readonly int _maxChoices;
    private readonly ProblemList _problems = new();
    private readonly GenerationValidator _generation;

    /// <param name="model">The model that the request names.</param>
    /// <param name="maxChoices">The most answers that one request may ask for.</param>
    public ChatValidator(ServedModel model, int maxChoices)
    {
        (_model, _maxChoices) = (model, maxChoices);
        _generation = new GenerationValidator(model, _problems);
    }

    private ChatTemplate ChatTemplate => _model.ChatTemplate ?? ChatTemplate.Plain;

    /// <exception cref="ApiException">With every problem's message.</exception>
    public CompletionPlan Validate(ChatRequest request, Caller caller)
    {
        request.Messages ??= [];
        ForeignFields.OfChats.Check(request.Unknown, _problems);
        _generation.CheckStream(request);
        if (caller.IsStrict)
            CheckUnknown(request);
        int answers = _problems.Integer("n", request.N, 1, _maxChoices, absent: 1);
        int? maxTokens = MaxTokens(request);
        int[] prompt = Prompt(request, maxTokens);
        GenerationRequest template = _generation.Template(request, caller, maxTokens ?? _model.ContextTokens, Logprobs(request));
        _problems.ThrowIfAny();
        template = template with { Stop = [.. template.Stop, .. ChatTemplate.Stops] };
        int room = _model.ContextTokens - prompt.Length;
        return new CompletionPlan(_model, [.. CompletionPlan.ChoicesOf(template, prompt, room, 0, answers, echo: null)])
        {
            PromptTokens = prompt.Length,
            Answers = answers,
            Candidates = answers,
            HasLogprobs = request.Logprobs ?? false,
            Stream = request.Stream ?? false,
            IncludeUsage = request.StreamOptions?.IncludeUsage ?? false,
        };
    }

    private int? MaxTokens(ChatRequest request)
    {
        if (request is { MaxTokens: { } old, MaxCompletionTokens: { } newer } && old != newer)
        {
            _problems.Add("max_tokens",
                $"'max_tokens' and 'max_completion_tokens' mean the same; {old} and {newer} were given. Leave one out.");
        }
        (string param, int? given) = request.MaxCompletionTokens is null
            ? ("max_tokens", request.MaxTokens) : ("max_completion_tokens", request.MaxCompletionTokens);
        return given is null ? null : _problems.Integer(param, given, 1, _model.ContextTokens, absent: 1);
    }

    private int? Logprobs(ChatRequest request)
    {
        if (request.TopLogprobs is not null && request.Logprobs is not true)
            _problems.Add("top_logprobs", "'top_logprobs' is only allowed together with 'logprobs': true.");
        int? alternatives = _generation.Logprobs("top_logprobs", request.TopLogprobs);
        return request.Logprobs is true ? alternatives ?? 0 : null;
    }

    private int[] Prompt(ChatRequest request, int? maxTokens)
    {
        SpecialTokens special = _generation.SpecialTokens(request.SpecialTokens);
        List<(string, string)> messages = Messages(request.Messages!);
        if (messages.Count < Math.Max(request.Messages!.Count, 1))
            return [];
        try
        {
            int[] ids = ChatTemplate.Encode(messages, special, _model.Tokenizer, _model.Marks);
            if (ids.Length == 0)
                _problems.Add("messages", "The messages make an empty prompt.");
            _generation.CheckLength("messages", ids.Length, maxTokens);
            return ids;
        }
        catch (JinjaException refusal)
        {
            _problems.Add("messages", $"The model's chat template does not take these messages: {refusal.Message}");
            return [];
        }
    }

    // Fewer than were given when one of them is wrong.
    private List<(string Role, string Content)> Messages(List<ChatMessage?> given)
    {
        var messages = new List<(string, string)>();
        if (given.Count is 0 or > MaxMessages)
            _problems.Add("messages", $"'messages' must hold 1 to {MaxMessages} messages; {given.Count} were given.");
        for (int i = 0; i < Math.Min(given.Count, MaxMessages); i++)
        {
            string path = $"messages[{i}]";
            ForeignFields.OfMessages.Check(given[i]?.Unknown, _problems, path + ".");
            if (given[i]?.Role is not ("system" or "developer" or "user" or "assistant"))
            {
                _problems.Add($"{path}.role", $"'{path}.role' must be \"system\", \"developer\", \"user\" or \"assistant\".",
                    given[i]?.Role is "tool" or "function" ? ErrorCode.UnsupportedParameter : ErrorCode.InvalidValue);
            }
            else if (given[i]!.Content is not { } content)
                _problems.Add($"{path}.content", $"'{path}.content' is missing: give a text.");
            else if (content.ForeignPart is not null)
                _problems.Unsupported(true, $"{path}.content", $"'{path}.content' may hold parts of type \"text\" only: these models read nothing else.");
            else
                messages.Add((given[i]!.Role == "developer" ? "system" : given[i]!.Role!, content.Text));
        }
        return messages;
    }

    private void CheckUnknown(ChatRequest request)
    {
        _generation.CheckUnknown(request);
        _generation.CheckUnknown(request.Messages!.SelectMany((message, i) =>
            (message?.Unknown?.Keys ?? Enumerable.Empty<string>()).Select(key => $"messages[{i}].{key}")));
    }
}

using Serving.Glyphs.Tokens;
using Serving.Inference;
using Serving.Server.Ensembles;

namespace Serving.Server.Completions;

/// <summary>
/// Turns the events of one generation into pieces of a choice. A stream sends the pieces; an answer in one go is their sum, so
/// that the two cannot differ. Not thread-safe.
/// </summary>
internal sealed class ChoiceProgress(CompletionPlan.Choice choice, Tokenizer tokenizer, Ensemble? ensemble = null, bool withTokenIds = false)
{
    private readonly LogprobsWriter _writer = new(tokenizer);
    private readonly bool _withLogprobs = choice.Request.Logprobs is not null;
    private readonly string[] _experts = [.. ensemble?.ActiveExperts.Select(expert => expert.Model) ?? []];
    private string _echo = choice.Echo ?? "";
    private IReadOnlyList<int>? _promptTokenIds = withTokenIds ? choice.Request.PromptTokens : null;

    /// <summary>What an event adds.</summary>
    /// <exception cref="OperationCanceledException">The generation was cancelled.</exception>
    /// <exception cref="GenerationFailedException">It failed.</exception>
    public CompletionChoice Step(GenerationEvent step) => step switch
    {
        PromptScored prompt => Piece("", _withLogprobs ? _writer.Prompt(prompt.Tokens, _echo) : null, null),
        TokenGenerated token => Piece(token.Text, _withLogprobs ? _writer.Token(token) : null, null) with
        {
            ExpertLogprobs = token.Experts is { } attribution ? _writer.Experts(_experts, attribution) : null,
            TokenIds = withTokenIds ? [token.TokenId] : null,
        },
        GenerationFinished end => Piece(end.Text, null, end.ReasonName()),
        _ => throw new NotSupportedException($"The event {step.GetType().Name} is not known."),
    };

    private CompletionChoice Piece(string text, CompletionLogprobs? logprobs, string? finishReason)
    {
        (string echo, _echo) = (_echo, "");
        (IReadOnlyList<int>? promptTokenIds, _promptTokenIds) = (_promptTokenIds, null);
        return new CompletionChoice(choice.Index, echo + text, logprobs, finishReason) { PromptTokenIds = promptTokenIds };
    }
}

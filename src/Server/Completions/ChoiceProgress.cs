using Serving.Glyphs.Tokens;
using Serving.Inference;

namespace Serving.Server.Completions;

/// <summary>
/// Turns the events of one generation into pieces of a choice. A stream sends the pieces; an answer in one go is their sum, so
/// that the two cannot differ. Not thread-safe.
/// </summary>
internal sealed class ChoiceProgress(CompletionPlan.Choice choice, Tokenizer tokenizer)
{
    private readonly LogprobsWriter? _logprobs = choice.Request.Logprobs is null ? null : new LogprobsWriter(tokenizer);
    private string _echo = choice.Echo ?? "";

    /// <summary>What an event adds.</summary>
    /// <exception cref="OperationCanceledException">The generation was cancelled.</exception>
    /// <exception cref="GenerationFailedException">It failed.</exception>
    public CompletionChoice Step(GenerationEvent step) => step switch
    {
        PromptScored prompt => Piece("", _logprobs?.Prompt(prompt.Tokens, _echo), null),
        TokenGenerated token => Piece(token.Text, _logprobs?.Token(token), null),
        GenerationFinished end => Piece(end.Text, null, end.ReasonName()),
        _ => throw new NotSupportedException($"The event {step.GetType().Name} is not known."),
    };

    private CompletionChoice Piece(string text, CompletionLogprobs? logprobs, string? finishReason)
    {
        (string echo, _echo) = (_echo, "");
        return new CompletionChoice(choice.Index, echo + text, logprobs, finishReason);
    }
}

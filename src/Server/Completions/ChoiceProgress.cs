using Serving.Glyphs.Tokens;
using Serving.Inference;
using Serving.Server.Ensembles;

namespace Serving.Server.Completions;

/// <summary>
/// Turns the events of one generation into pieces of a choice. A stream sends the pieces; an answer in one go is their sum, so
/// that the two cannot differ. Not thread-safe.
/// </summary>
internal sealed class ChoiceProgress(CompletionPlan.Choice choice, Tokenizer tokenizer, Ensemble? ensemble = null)
{
    private readonly LogprobsWriter _writer = new(tokenizer);
    private readonly bool _withLogprobs = choice.Request.Logprobs is not null;
    private readonly string[] _experts = [.. ensemble?.ActiveExperts.Select(expert => expert.Model) ?? []];
    private string _echo = choice.Echo ?? "";

    /// <summary>What an event adds.</summary>
    /// <exception cref="OperationCanceledException">The generation was cancelled.</exception>
    /// <exception cref="GenerationFailedException">It failed.</exception>
    public CompletionChoice Step(GenerationEvent step) => step switch
    {
        PromptScored prompt => Piece("", _withLogprobs ? _writer.Prompt(prompt.Tokens, _echo) : null, null),
        TokenGenerated token => Piece(token.Text, _withLogprobs ? _writer.Token(token) : null, null) with
        {
            ExpertLogprobs = token.Experts is { } attribution ? _writer.Experts(_experts, attribution) : null,
        },
        GenerationFinished { Reason: FinishReason.Stop } end => Piece(end.Text, null, "stop"),
        GenerationFinished { Reason: FinishReason.Length } end => Piece(end.Text, null, "length"),
        GenerationFinished { Reason: FinishReason.Cancelled } => throw new OperationCanceledException("The generation was cancelled."),
        GenerationFinished end => throw new GenerationFailedException(end.Error),
        _ => throw new NotSupportedException($"The event {step.GetType().Name} is not known."),
    };

    private CompletionChoice Piece(string text, CompletionLogprobs? logprobs, string? finishReason)
    {
        (string echo, _echo) = (_echo, "");
        return new CompletionChoice(choice.Index, echo + text, logprobs, finishReason);
    }
}

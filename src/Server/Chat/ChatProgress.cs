using Serving.Inference;
using Serving.Server.Completions;

namespace Serving.Server.Chat;

/// <summary>Turns the events of one generation into pieces of a chat's choice. Not thread-safe.</summary>
internal sealed class ChatProgress(CompletionPlan.Choice choice, TokenNames names)
{
    private bool _hasBegun;

    /// <summary>What an event adds.</summary>
    /// <exception cref="OperationCanceledException">The generation was cancelled.</exception>
    /// <exception cref="GenerationFailedException">It failed.</exception>
    public ChatPiece Step(GenerationEvent step) => step switch
    {
        TokenGenerated token => Piece(token.Text, choice.Request.Logprobs is null ? null : Entry(token), null),
        GenerationFinished end => Piece(end.Text, null, end.ReasonName()),
        _ => throw new NotSupportedException($"The event {step.GetType().Name} is not one of a chat."),
    };

    private ChatPiece Piece(string text, ChatTokenLogprob? logprob, string? finishReason)
    {
        bool isFirst = !_hasBegun;
        _hasBegun = true;
        return new ChatPiece(choice.Index, isFirst, text, logprob, finishReason);
    }

    private ChatTokenLogprob Entry(TokenGenerated token) => new(
        names.Of(token.TokenId), TokenNames.Finite(token.Logprob), names.BytesOf(token.TokenId),
        [.. (token.TopLogprobs ?? []).Select(top => new ChatTopLogprob(names.Of(top.TokenId), TokenNames.Finite(top.Logprob), names.BytesOf(top.TokenId)))]);
}

using Serving.Inference;

namespace Serving.Server.Completions;

/// <summary>Why answers end, in OpenAI's words.</summary>
internal static class FinishReasons
{
    /// <summary>stop or length.</summary>
    /// <exception cref="OperationCanceledException">The generation was cancelled.</exception>
    /// <exception cref="GenerationFailedException">It failed.</exception>
    public static string ReasonName(this GenerationFinished end) => end.Reason switch
    {
        FinishReason.Stop => "stop",
        FinishReason.Length => "length",
        FinishReason.Cancelled => throw new OperationCanceledException("The generation was cancelled."),
        _ => throw new GenerationFailedException(end.Error),
    };
}

namespace Serving.Server.Chat;

/// <summary>What one event adds to one choice.</summary>
/// <param name="Choice">Its place.</param>
/// <param name="IsFirst">Whether it is the choice's first.</param>
/// <param name="Text">New text.</param>
/// <param name="Logprob">The token, when log-probabilities were asked for.</param>
/// <param name="FinishReason">At the end.</param>
internal readonly record struct ChatPiece(int Choice, bool IsFirst, string Text, ChatTokenLogprob? Logprob, string? FinishReason);

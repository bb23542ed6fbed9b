namespace Serving.Inference.Scheduling;

/// <summary>A sequence's part of the current step.</summary>
/// <param name="Sequence">Whose.</param>
/// <param name="Length">Tokens to compute, from <see cref="Sequence.Computed"/> on.</param>
/// <param name="LogitRows">How many of the last of these yield logits.</param>
/// <param name="IsDraft">Whether all but the first are guesses.</param>
internal readonly record struct ScheduledChunk(Sequence Sequence, int Length, int LogitRows, bool IsDraft = false);

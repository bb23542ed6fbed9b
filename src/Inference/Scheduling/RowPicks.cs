using Serving.Inference.Sampling;

namespace Serving.Inference.Scheduling;

/// <summary>Has a backend pick the tokens of a pass where its logits are: of every row of which nothing but the token is wanted.</summary>
/// <remarks>Owned by the engine loop. Allocates nothing.</remarks>
/// <param name="backend">Who picks.</param>
/// <param name="rows">The most rows of logits in a pass.</param>
internal sealed class RowPicks(IPickingBackend backend, int rows)
{
    private readonly TokenPick[] _picks = new TokenPick[rows];
    private readonly int[] _tokens = new int[rows];

    /// <summary>Runs a pass.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="chunks">The chunks that it is made of.</param>
    /// <param name="logits">Takes the rows that are wanted whole.</param>
    public void Forward(ForwardBatch batch, ReadOnlySpan<ScheduledChunk> chunks, Span<float> logits)
    {
        Clear();
        int row = 0;
        foreach (ScheduledChunk chunk in chunks)
        {
            row += chunk.LogitRows;
            if (chunk.LogitRows > 0 && WantsTokenAlone(chunk))
                _picks[row - 1] = PickOf((Generation)chunk.Sequence);
        }
        backend.Forward(batch, _picks.AsSpan(0, row), _tokens, logits);
    }

    /// <summary>Forgets the last pass: its tokens are of no use.</summary>
    public void Clear() => Array.Clear(_picks);

    /// <summary>The token that was picked from a row; null if the row itself was wanted.</summary>
    /// <exception cref="ArithmeticException">The row has no finite maximum.</exception>
    public int? Taken(int row)
    {
        if (!_picks[row].IsWanted) return null;
        return _tokens[row] >= 0 ? _tokens[row] : throw LogitMath.NoFiniteMax("is not");
    }

    // The rows of guesses are few, and what is picked from one depends on the others.
    private static bool WantsTokenAlone(in ScheduledChunk chunk)
    {
        Generation generation = (Generation)chunk.Sequence;
        GenerationRequest request = generation.Request;
        return !chunk.IsDraft && request is { MaxTokens: > 0, Logprobs: null, ExpertLogprobs: false }
            && generation.Computed + chunk.Length >= generation.PromptTokens
            && !LogitAdjuster.Changes(request, generation.GeneratedTokens);
    }

    private static TokenPick PickOf(Generation generation)
    {
        SamplingOptions options = generation.Request.Sampling;
        return new TokenPick(options, Philox.NextDouble(options.Seed, (ulong)generation.GeneratedTokens));
    }
}

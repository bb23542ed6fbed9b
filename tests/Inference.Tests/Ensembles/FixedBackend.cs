namespace Serving.Inference.Tests.Ensembles;

/// <summary>A model that always answers the same logits.</summary>
internal sealed class FixedBackend(int vocabulary, int context = 48, int blocks = 8, int blockTokens = 16) : IBackend
{
    private readonly float[] _row = new float[vocabulary];

    public ModelShape Shape => new(vocabulary, context);

    public KvCapacity Kv => new(blocks, blockTokens);

    /// <summary>A token after which nothing is finite; -1 = none.</summary>
    public int IllToken { get; init; } = -1;

    /// <summary>Forward passes so far.</summary>
    public int Passes { get; private set; }

    /// <summary>The logit of a token.</summary>
    public float this[int token]
    {
        set => _row[token] = value;
    }

    public void Forward(ForwardBatch batch, Span<float> logits)
    {
        Passes++;
        int row = 0;
        foreach (ref readonly ForwardBatch.Chunk chunk in batch.Chunks)
        {
            for (int i = chunk.Length - chunk.LogitRows; i < chunk.Length; i++, row++)
            {
                _row.CopyTo(logits[(row * vocabulary)..]);
                if (batch.Tokens[chunk.Start + i] == IllToken)
                    logits[row * vocabulary] = float.NaN;
            }
        }
    }

    public void Dispose()
    {
    }
}

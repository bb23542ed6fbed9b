namespace Serving.Inference.Tests.Cpu;

/// <summary>A sequence with its blocks, fed to a backend in chunks.</summary>
internal sealed class Sequence(IBackend backend, IEnumerable<int> blocks)
{
    public List<int> Blocks { get; } = [.. blocks];

    public int Position { get; private set; }

    /// <summary>Adds the next tokens to a batch.</summary>
    public void AddTo(ForwardBatch batch, ReadOnlySpan<int> tokens, int logitRows)
    {
        batch.Add(tokens, Position, Blocks, logitRows);
        Position += tokens.Length;
    }

    /// <summary>Runs tokens alone, in chunks, and returns the logits after each of them: [tokens][vocabulary].</summary>
    public float[][] Run(ReadOnlySpan<int> tokens, int chunk)
    {
        var rows = new List<float[]>();
        var batch = new ForwardBatch();
        for (int start = 0; start < tokens.Length; start += chunk)
        {
            ReadOnlySpan<int> part = tokens.Slice(start, Math.Min(chunk, tokens.Length - start));
            batch.Clear();
            AddTo(batch, part, part.Length);
            rows.AddRange(Forward(backend, batch));
        }

        return [.. rows];
    }

    public static float[][] Forward(IBackend backend, ForwardBatch batch)
    {
        int vocabulary = backend.Shape.VocabularySize;
        var logits = new float[batch.LogitRows * vocabulary];
        backend.Forward(batch, logits);
        return [.. logits.Chunk(vocabulary)];
    }
}

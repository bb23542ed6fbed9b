using Serving.Inference;
using Serving.Server.Models;

namespace Serving.Server.Inspection;

/// <summary>
/// A model's logits after the last tokens of a text: bit for bit those that its engine samples from, because a row is the same
/// bits in any batch. Computed on a backend of its own, beside the engine, one text at a time. Thread-safe.
/// </summary>
internal sealed class LogitsRecorder : IDisposable
{
    /// <summary>16 MiB: half a thousand positions of a small vocabulary, 32 of the largest.</summary>
    public const int MaxValues = 1 << 22;

    private const int ChunkTokens = 64;

    private readonly SemaphoreSlim _turn = new(1);

    /// <param name="model">Who reads the text.</param>
    /// <param name="tokens">1 to the model's context.</param>
    /// <param name="last">1 to as many as tokens.</param>
    /// <param name="cancellation">Ends it between two chunks.</param>
    /// <returns>[last, vocabulary]</returns>
    public async Task<float[]> RecordAsync(ServedModel model, int[] tokens, int last, CancellationToken cancellation)
    {
        await _turn.WaitAsync(cancellation);
        try
        {
            return await Task.Run(() => Record(model, tokens, last, cancellation), cancellation);
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Dispose() => _turn.Dispose();

    private static float[] Record(ServedModel model, int[] tokens, int last, CancellationToken cancellation)
    {
        using IBackend backend = model.NewBackend();
        var logits = new float[last * backend.Shape.VocabularySize];
        List<int> blocks = [.. Enumerable.Range(0, (tokens.Length + backend.Kv.BlockTokens - 1) / backend.Kv.BlockTokens)];
        var batch = new ForwardBatch();
        int written = 0;
        for (int start = 0; start < tokens.Length; start += ChunkTokens)
        {
            cancellation.ThrowIfCancellationRequested();
            int end = Math.Min(start + ChunkTokens, tokens.Length);
            int rows = Math.Clamp(end - (tokens.Length - last), 0, end - start);
            batch.Clear();
            batch.Add(tokens.AsSpan(start, end - start), start, blocks, rows);
            backend.Forward(batch, logits.AsSpan(written, rows * backend.Shape.VocabularySize));
            written += rows * backend.Shape.VocabularySize;
        }

        return logits;
    }
}

using System.Diagnostics;
using Serving.Inference;

namespace Serving.Server.Benchmarks;

/// <summary>Times a backend by itself: no scheduler, no sampling, no server. Every figure is the median of a few runs.</summary>
/// <param name="backend">The model, with K/V of at least <see cref="BlocksNeeded"/> blocks.</param>
/// <param name="maxRows">The widest batch.</param>
internal sealed class ModelBenchmark(IBackend backend, int maxRows)
{
    public const int PrefillTokens = 512;
    public const int DecodeTokens = 64;
    public const int BatchPromptTokens = 64;
    private const int Runs = 5;

    private readonly ForwardBatch _batch = new();
    private readonly float[] _logits = new float[maxRows * backend.Shape.VocabularySize];
    private readonly Random _random = new(7);

    /// <summary>K/V blocks for the widest batch.</summary>
    public static int BlocksNeeded(int blockTokens, int maxRows) => maxRows * BlocksFor(BatchPromptTokens + DecodeTokens + 1, blockTokens);

    /// <summary>Tokens a second over one prompt of <see cref="PrefillTokens"/> tokens in an empty cache, one row of logits.</summary>
    public double Prefill()
    {
        int tokens = Math.Min(PrefillTokens, backend.Shape.ContextTokens);
        return MedianRate(tokens, () => Feed(Blocks(0, tokens), 0, tokens, 1));
    }

    /// <summary>Tokens a second of one sequence that grows from 1 to <see cref="DecodeTokens"/> tokens, one a step.</summary>
    public double Decode() => BatchedDecode(1, prompt: 0);

    /// <summary>Tokens a second of sequences that grow together, one token each a step, after prompts of
    /// <see cref="BatchPromptTokens"/> tokens.</summary>
    public double BatchedDecode(int rows) => BatchedDecode(rows, BatchPromptTokens);

    private double BatchedDecode(int rows, int prompt)
    {
        List<int>[] blocks = [.. Enumerable.Range(0, rows).Select(row => Blocks(row, prompt + DecodeTokens))];
        for (int row = 0; row < rows && prompt > 0; row++)
            Feed(blocks[row], 0, prompt, 0);
        return MedianRate(rows * DecodeTokens, () =>
        {
            for (int step = 0; step < DecodeTokens; step++)
            {
                _batch.Clear();
                foreach (List<int> table in blocks)
                    _batch.Add([Token()], prompt + step, table, 1);
                backend.Forward(_batch, _logits);
            }
        });
    }

    private void Feed(List<int> blocks, int position, int tokens, int logitRows)
    {
        _batch.Clear();
        _batch.Add([.. Enumerable.Range(0, tokens).Select(_ => Token())], position, blocks, logitRows);
        backend.Forward(_batch, _logits);
    }

    private int Token() => _random.Next(backend.Shape.VocabularySize);

    private List<int> Blocks(int sequence, int tokens)
    {
        int count = BlocksFor(tokens, backend.Kv.BlockTokens);
        return [.. Enumerable.Range(sequence * count, count)];
    }

    private static int BlocksFor(int tokens, int blockTokens) => (tokens + blockTokens - 1) / blockTokens;

    private static double MedianRate(int tokens, Action run)
    {
        run();
        var seconds = new double[Runs];
        for (int i = 0; i < Runs; i++)
        {
            long start = Stopwatch.GetTimestamp();
            run();
            seconds[i] = Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
        Array.Sort(seconds);
        return tokens / seconds[Runs / 2];
    }
}

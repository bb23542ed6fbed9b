using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu;
using Serving.Inference.Sampling;

namespace Serving.Inference.Calibration;

/// <summary>
/// Finds out how a checkpoint is to be read by trying: on a text of the kind that it was trained on, a trained model does
/// markedly worse when its positions are paired, or its values normalised, in another way than in training.
/// </summary>
public sealed class ModelCalibration
{
    /// <summary>Tokens of text that are used, at most.</summary>
    public const int MostTokens = 1024;

    private const int WindowTokens = 256;
    private const int RowsAtOnce = 32;
    private const int BlockTokens = CpuMemory.BlockTokens;

    // What a text costs when every token is as likely as any other; a reading that hardly beats this knows nothing of the text.
    private const double LeastKnowledge = 0.9;

    private ModelCalibration(IReadOnlyList<ReadingScore> scores, int vocabularySize)
    {
        Scores = scores;
        KnowsTheText = scores[0].MeanLoss < LeastKnowledge * Math.Log(vocabularySize);
    }

    /// <summary>All readings, best first.</summary>
    public IReadOnlyList<ReadingScore> Scores { get; }

    /// <summary>The best reading.</summary>
    public ReadingScore Best => Scores[0];

    /// <summary>Whether the best reading foresees the text at all. If not, differences mean nothing, however clear: the model is
    /// not trained, or not on such text, or its files are read wrongly in another way.</summary>
    public bool KnowsTheText { get; }

    /// <summary>Scores every reading of a model that its files leave open.</summary>
    /// <param name="model">The model, its files still open.</param>
    /// <param name="tokens">At least 2.</param>
    /// <param name="progress">Told how many readings are scored, of how many.</param>
    public static ModelCalibration Run(LoadedModel model, ReadOnlySpan<int> tokens, IProgress<(long Done, long Total)>? progress = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(tokens.Length, 2);
        IReadOnlyList<ModelReading> readings = ModelReading.Of(model);
        int[] text = tokens[..Math.Min(tokens.Length, MostTokens)].ToArray();
        var scores = new List<ReadingScore>(readings.Count);
        foreach (ModelReading reading in readings)
        {
            scores.Add(new ReadingScore(reading, Losses(model, reading, text)));
            progress?.Report((scores.Count, readings.Count));
        }

        return new ModelCalibration(
            [.. scores.OrderBy(score => double.IsNaN(score.MeanLoss)).ThenBy(score => score.MeanLoss)], model.Weights.VocabularySize);
    }

    /// <summary>The best reading that differs from <see cref="Best"/> in one thing; null = it was not open.</summary>
    /// <param name="part">What must differ.</param>
    public ReadingScore? BestWithout<T>(Func<ModelReading, T> part) =>
        Scores.FirstOrDefault(score => !Equals(part(score.Reading), part(Best.Reading)));

    private static double[] Losses(LoadedModel model, ModelReading reading, int[] text)
    {
        int window = Math.Min(WindowTokens, model.Weights.ContextTokens);
        using var weights = new CpuExperts(model.Id, [.. model.Experts.Select(reading.Apply)]);
        List<int> blocks = [.. Enumerable.Range(0, (window + BlockTokens - 1) / BlockTokens)];
        using IBackend backend = weights.NewBackend(blocks.Count);
        return [.. text.Chunk(window).SelectMany(part => Losses(backend, blocks, part))];
    }

    private static List<double> Losses(IBackend backend, List<int> blocks, int[] text)
    {
        var losses = new List<double>();
        var batch = new ForwardBatch();
        var logits = new float[RowsAtOnce * backend.Shape.VocabularySize];
        for (int start = 0; start < text.Length - 1; start += RowsAtOnce)
        {
            int rows = Math.Min(RowsAtOnce, text.Length - 1 - start);
            batch.Clear();
            batch.Add(text.AsSpan(start, rows), start, blocks, rows);
            backend.Forward(batch, logits);
            for (int row = 0; row < rows; row++)
                losses.Add(Loss(logits.AsSpan(row * backend.Shape.VocabularySize, backend.Shape.VocabularySize), text[start + row + 1]));
        }

        return losses;
    }

    private static double Loss(ReadOnlySpan<float> logits, int token)
    {
        double sum = 0;
        float max = LogitMath.Max(logits);
        foreach (float logit in logits)
            sum += Math.Exp(logit - max);
        return Math.Log(sum) + max - logits[token];
    }
}

using System.Threading.Channels;
using Serving.Inference;
using Serving.Server.Completions;

namespace Serving.Server.Embeddings;

/// <summary>Computes the vectors of a plan.</summary>
internal static class EmbeddingRun
{
    // More at once would only wait in the engine's queue, where others have to get in.
    public const int MaxAtOnce = 16;

    /// <returns>A vector for each input.</returns>
    /// <exception cref="OperationCanceledException">The caller left, or the server cannot wait.</exception>
    public static async Task<float[][]> ComputeAsync(EmbeddingPlan plan, Caller caller, CancellationToken cancellationToken)
    {
        float[][] vectors = new float[plan.Inputs.Count][];
        if (plan.Layer == EmbeddingLayer.Input)
        {
            for (int i = 0; i < vectors.Length; i++)
                vectors[i] = MeanOfRows(plan, plan.Inputs[i]);
            return vectors;
        }
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = MaxAtOnce, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0, vectors.Length, parallel, async (i, cancellation) =>
        {
            var request = new GenerationRequest
            {
                Id = $"{caller.RequestId}/{i}",
                CacheScope = caller.Scope,
                PromptTokens = plan.Inputs[i],
                MaxTokens = 0,
                PoolsPrompt = true,
            };
            vectors[i] = await PooledAsync(plan.Model.Engine.Submit(request, cancellation));
        });
        return vectors;
    }

    private static async Task<float[]> PooledAsync(ChannelReader<GenerationEvent> events)
    {
        float[]? mean = null;
        await foreach (GenerationEvent step in events.ReadAllAsync(CancellationToken.None))
        {
            if (step is PromptPooled pooled)
                mean = pooled.Mean;
            else if (step is GenerationFinished end)
                _ = end.ReasonName();
        }
        return mean ?? throw new InvalidOperationException("The engine ended a prompt without its mean.");
    }

    private static float[] MeanOfRows(EmbeddingPlan plan, int[] tokens)
    {
        double[] sum = new double[plan.Model.Table!.Dimensions];
        foreach (int token in tokens)
        {
            ReadOnlySpan<float> row = plan.Model.Table.Row(token);
            for (int i = 0; i < sum.Length; i++)
                sum[i] += row[i];
        }
        return Array.ConvertAll(sum, value => (float)(value / tokens.Length));
    }
}

using System.Runtime.CompilerServices;

namespace Serving.Inference.Cpu.Kernels;

/// <summary>
/// Attention of one query: scores, softmax, weighted sum of values. The order of every sum depends on the number of tokens
/// alone, so chunks, blocks and neighbours change nothing.
/// </summary>
internal static unsafe class Attention<T>
    where T : unmanaged, ILanes<T>
{
    /// <summary>Writes softmax(query · keys) · values.</summary>
    public static void Attend(in AttentionTask task, ReadOnlySpan<int> blocks)
    {
        T largest = T.Broadcast(float.NegativeInfinity);
        for (int token = 0, block = 0; token < task.Tokens; token += Lanes.Count, block++)
            largest = T.Max(largest, Score(task, task.Keys + (blocks[block] * task.BlockStride), token));
        float scale = 1 / Exponentiate(task.Scores, task.Tokens, T.Max(largest));
        for (int column = 0; column < task.ValueStride; column += Lanes.Count)
            T.Store(WeightedSum(task, blocks, column) * T.Broadcast(scale), task.Output + column);
    }

    // Lanes run over the 16 tokens of a block: a score is one chain over the head. What lies past the last token may be
    // anything, a NaN too, and is replaced.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static T Score(in AttentionTask task, float* keys, int token)
    {
        T sum = T.Zero;
        float* query = task.Query;
        for (int i = 0, size = task.HeadSize; i < size; i++, keys += Lanes.Count)
            sum = T.MultiplyAdd(T.Broadcast(query[i]), T.Load(keys), sum);
        sum = T.KeepFirst(sum, task.Tokens - token, float.NegativeInfinity);
        T.Store(sum, task.Scores + token);
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Exponentiate(float* scores, int tokens, float largest)
    {
        T sum = T.Zero, shift = T.Broadcast(largest);
        for (int token = 0; token < tokens; token += Lanes.Count)
        {
            T value = T.KeepFirst(Elementary.Exp(T.Load(scores + token) - shift), tokens - token, 0);
            T.Store(value, scores + token);
            sum += value;
        }

        return T.Sum(sum);
    }

    // Four chains, token t in chain t mod 4, so that the additions need not wait for one another.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static T WeightedSum(in AttentionTask task, ReadOnlySpan<int> blocks, int column)
    {
        T sum0 = T.Zero, sum1 = T.Zero, sum2 = T.Zero, sum3 = T.Zero;
        nint stride = task.ValueStride;
        for (int start = 0, block = 0; start < task.Tokens; start += Lanes.Count, block++)
        {
            float* values = task.Values + (blocks[block] * task.BlockStride) + column;
            float* weights = task.Scores + start;
            int count = Math.Min(Lanes.Count, task.Tokens - start), i = 0;
            for (; i + 4 <= count; i += 4, values += 4 * stride)
            {
                sum0 = T.MultiplyAdd(T.Broadcast(weights[i]), T.Load(values), sum0);
                sum1 = T.MultiplyAdd(T.Broadcast(weights[i + 1]), T.Load(values + stride), sum1);
                sum2 = T.MultiplyAdd(T.Broadcast(weights[i + 2]), T.Load(values + (2 * stride)), sum2);
                sum3 = T.MultiplyAdd(T.Broadcast(weights[i + 3]), T.Load(values + (3 * stride)), sum3);
            }

            if (i < count)
                sum0 = T.MultiplyAdd(T.Broadcast(weights[i]), T.Load(values), sum0);
            if (i + 1 < count)
                sum1 = T.MultiplyAdd(T.Broadcast(weights[i + 1]), T.Load(values + stride), sum1);
            if (i + 2 < count)
                sum2 = T.MultiplyAdd(T.Broadcast(weights[i + 2]), T.Load(values + (2 * stride)), sum2);
        }

        return (sum0 + sum1) + (sum2 + sum3);
    }
}

using System.Runtime.CompilerServices;

namespace Serving.Inference.Cpu.Kernels;

/// <summary>
/// softmax(query · keys) · values over the blocks of a sequence. A query's result is the same bits alone and in a tile: a score is
/// one chain over the head; a result has four chains over the tokens, token t in chain t mod 4.
/// </summary>
internal static unsafe class Attention<T>
    where T : unmanaged, ILanes<T>
{
    private const int Block = Lanes.Count;
    private const int ChainFloats = 4 * Lanes.Count;

    /// <summary>Computes a task.</summary>
    /// <param name="task">The queries.</param>
    /// <param name="blocks">The sequence's block table.</param>
    public static void Attend(in AttentionTask task, ReadOnlySpan<int> blocks)
    {
        fixed (int* table = blocks)
        {
            // What every query of a tile sees whole; the last block or two are done one by one.
            int common = task.Queries == 1 ? 0 : task.Tokens / Block;
            if (common > 0)
                ScoreTile(task, table, common);
            float* scales = stackalloc float[KernelSet.TileRows];
            for (int query = 0; query < task.Queries; query++)
            {
                float* scores = task.Scores + (query * task.ScoreStride);
                int tokens = task.Tokens + query;
                Score(task, task.Query + (query * task.QueryStride), table, common, tokens, scores);
                scales[query] = 1 / Exponentiate(task, table, tokens, scores);
            }

            float* chains = stackalloc float[KernelSet.TileRows * ChainFloats];
            for (int column = 0; column < task.HeadStride; column += Lanes.Count)
            {
                if (common > 0)
                    SumTile(task, table, common, column, chains);
                for (int query = 0; query < task.Queries; query++)
                    SumRest(task, table, common, column, query, scales[query], chains + (query * ChainFloats));
            }
        }
    }

    // Two blocks by six queries: twelve chains. The last of an odd number of blocks is done twice.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScoreTile(in AttentionTask task, int* table, int blocks)
    {
        nint stride = task.ScoreStride;
        for (int block = 0; block < blocks; block += 2)
        {
            int other = Math.Min(block + 1, blocks - 1);
            byte* keysA = task.Keys + (table[block] * task.BlockBytes), keysB = task.Keys + (table[other] * task.BlockBytes);
            float* q0 = task.Query, q1 = q0 + task.QueryStride, q2 = q1 + task.QueryStride;
            float* q3 = q2 + task.QueryStride, q4 = q3 + task.QueryStride, q5 = q4 + task.QueryStride;
            T a0 = T.Zero, a1 = T.Zero, a2 = T.Zero, a3 = T.Zero, a4 = T.Zero, a5 = T.Zero;
            T b0 = T.Zero, b1 = T.Zero, b2 = T.Zero, b3 = T.Zero, b4 = T.Zero, b5 = T.Zero;
            nint pairs = task.HeadSize / 2;
            for (nint pair = 0; pair < pairs; pair++, q0 += 2, q1 += 2, q2 += 2, q3 += 2, q4 += 2, q5 += 2)
            {
                KvHead.Load(keysA, Block, pair, 0, out T a, out T nextA);
                KvHead.Load(keysB, Block, pair, 0, out T b, out T nextB);
                (a0, b0) = Add(q0, a, nextA, b, nextB, a0, b0);
                (a1, b1) = Add(q1, a, nextA, b, nextB, a1, b1);
                (a2, b2) = Add(q2, a, nextA, b, nextB, a2, b2);
                (a3, b3) = Add(q3, a, nextA, b, nextB, a3, b3);
                (a4, b4) = Add(q4, a, nextA, b, nextB, a4, b4);
                (a5, b5) = Add(q5, a, nextA, b, nextB, a5, b5);
            }

            float* scoresA = task.Scores + (block * Block), scoresB = task.Scores + (other * Block);
            T scalesA = KvHead.Scales<T>(keysA), scalesB = KvHead.Scales<T>(keysB);
            T.Store(b0 * scalesB, scoresB);
            T.Store(b1 * scalesB, scoresB + stride);
            T.Store(b2 * scalesB, scoresB + (2 * stride));
            T.Store(b3 * scalesB, scoresB + (3 * stride));
            T.Store(b4 * scalesB, scoresB + (4 * stride));
            T.Store(b5 * scalesB, scoresB + (5 * stride));
            T.Store(a0 * scalesA, scoresA);
            T.Store(a1 * scalesA, scoresA + stride);
            T.Store(a2 * scalesA, scoresA + (2 * stride));
            T.Store(a3 * scalesA, scoresA + (3 * stride));
            T.Store(a4 * scalesA, scoresA + (4 * stride));
            T.Store(a5 * scalesA, scoresA + (5 * stride));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (T A, T B) Add(float* query, T a, T nextA, T b, T nextB, T sumA, T sumB)
    {
        T x = T.Broadcast(query[0]), y = T.Broadcast(query[1]);
        return (T.MultiplyAdd(y, nextA, T.MultiplyAdd(x, a, sumA)), T.MultiplyAdd(y, nextB, T.MultiplyAdd(x, b, sumB)));
    }

    // Four blocks side by side, so that their chains need not wait for one another.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Score(in AttentionTask task, float* query, int* table, int firstBlock, int tokens, float* scores)
    {
        int last = (tokens - 1) / Block;
        nint pairs = task.HeadSize / 2;
        for (int block = firstBlock; block <= last; block += 4)
        {
            byte* a = task.Keys + (table[block] * task.BlockBytes);
            byte* b = task.Keys + (table[Math.Min(block + 1, last)] * task.BlockBytes);
            byte* c = task.Keys + (table[Math.Min(block + 2, last)] * task.BlockBytes);
            byte* d = task.Keys + (table[Math.Min(block + 3, last)] * task.BlockBytes);
            T sumA = T.Zero, sumB = T.Zero, sumC = T.Zero, sumD = T.Zero;
            for (nint pair = 0; pair < pairs; pair++)
            {
                nint next = (pair * KvHead.PairBytes) + task.HeadBytes;
                Prefetch.Lines(a + next, KvHead.PairBytes);
                Prefetch.Lines(b + next, KvHead.PairBytes);
                Prefetch.Lines(c + next, KvHead.PairBytes);
                Prefetch.Lines(d + next, KvHead.PairBytes);
                T x = T.Broadcast(query[2 * pair]), y = T.Broadcast(query[(2 * pair) + 1]);
                KvHead.Load(a, Block, pair, 0, out T even, out T odd);
                sumA = T.MultiplyAdd(y, odd, T.MultiplyAdd(x, even, sumA));
                KvHead.Load(b, Block, pair, 0, out even, out odd);
                sumB = T.MultiplyAdd(y, odd, T.MultiplyAdd(x, even, sumB));
                KvHead.Load(c, Block, pair, 0, out even, out odd);
                sumC = T.MultiplyAdd(y, odd, T.MultiplyAdd(x, even, sumC));
                KvHead.Load(d, Block, pair, 0, out even, out odd);
                sumD = T.MultiplyAdd(y, odd, T.MultiplyAdd(x, even, sumD));
            }

            T.Store(sumA * KvHead.Scales<T>(a), scores + (block * Block));
            if (block + 1 <= last) T.Store(sumB * KvHead.Scales<T>(b), scores + ((block + 1) * Block));
            if (block + 2 <= last) T.Store(sumC * KvHead.Scales<T>(c), scores + ((block + 2) * Block));
            if (block + 3 <= last) T.Store(sumD * KvHead.Scales<T>(d), scores + ((block + 3) * Block));
        }
    }

    // Gives the sum; leaves what each token's whole numbers count for. What lies past the last token may be anything, a NaN too: it is
    // left out of the sum, and no one reads it.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Exponentiate(in AttentionTask task, int* table, int tokens, float* scores)
    {
        T largest = T.Broadcast(float.NegativeInfinity);
        for (int token = 0; token < tokens; token += Block)
            largest = T.Max(largest, T.KeepFirst(T.Load(scores + token), tokens - token, float.NegativeInfinity));
        T sum = T.Zero, shift = T.Broadcast(T.Max(largest));
        for (int token = 0; token < tokens; token += Block)
        {
            T score = T.KeepFirst(T.Load(scores + token), tokens - token, float.NegativeInfinity);
            T value = T.KeepFirst(Elementary.Exp(score - shift), tokens - token, 0);
            T.Store(value * KvHead.Scales<T>(task.Values + (table[token / Block] * task.BlockBytes)), scores + token);
            sum += value;
        }

        return T.Sum(sum);
    }

    // Six queries by four chains.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SumTile(in AttentionTask task, int* table, int blocks, int column, float* chains)
    {
        Quad<T> row0 = Quad<T>.Zero, row1 = Quad<T>.Zero, row2 = Quad<T>.Zero;
        Quad<T> row3 = Quad<T>.Zero, row4 = Quad<T>.Zero, row5 = Quad<T>.Zero;
        float* w0 = task.Scores, w1 = w0 + task.ScoreStride, w2 = w1 + task.ScoreStride;
        float* w3 = w2 + task.ScoreStride, w4 = w3 + task.ScoreStride, w5 = w4 + task.ScoreStride;
        nint width = task.HeadStride;
        for (int block = 0; block < blocks; block++)
        {
            byte* values = task.Values + (table[block] * task.BlockBytes);
            for (nint pair = 0; pair < Block / 2; pair += 2, w0 += 4, w1 += 4, w2 += 4, w3 += 4, w4 += 4, w5 += 4)
            {
                KvHead.Load(values, width, pair, column, out T a, out T b);
                KvHead.Load(values, width, pair + 1, column, out T c, out T d);
                row0 = Quad<T>.AddScaled(w0, a, b, c, d, row0);
                row1 = Quad<T>.AddScaled(w1, a, b, c, d, row1);
                row2 = Quad<T>.AddScaled(w2, a, b, c, d, row2);
                row3 = Quad<T>.AddScaled(w3, a, b, c, d, row3);
                row4 = Quad<T>.AddScaled(w4, a, b, c, d, row4);
                row5 = Quad<T>.AddScaled(w5, a, b, c, d, row5);
            }
        }

        Quad<T>.Store(row0, chains);
        Quad<T>.Store(row1, chains + ChainFloats);
        Quad<T>.Store(row2, chains + (2 * ChainFloats));
        Quad<T>.Store(row3, chains + (3 * ChainFloats));
        Quad<T>.Store(row4, chains + (4 * ChainFloats));
        Quad<T>.Store(row5, chains + (5 * ChainFloats));
    }

    // Continues a query's chains from a block on, then joins them.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SumRest(
        in AttentionTask task, int* table, int firstBlock, int column, int query, float scale, float* chains)
    {
        Quad<T> row = firstBlock > 0 ? Quad<T>.Load(chains) : Quad<T>.Zero;
        float* weights = task.Scores + (query * task.ScoreStride) + (firstBlock * Block);
        nint width = task.HeadStride;
        int tokens = task.Tokens + query - (firstBlock * Block);
        byte* values = task.Values;
        for (int block = firstBlock; tokens > 0; block++, tokens -= Block)
        {
            values = task.Values + (table[block] * task.BlockBytes);
            nint wholePairs = Math.Min(tokens, Block) / 4 * 2;
            for (nint pair = 0; pair < wholePairs; pair += 2, weights += 4)
            {
                nint next = (((pair * width) + column) * sizeof(uint)) + task.HeadBytes;
                Prefetch.Lines(values + next, KvHead.PairBytes);
                Prefetch.Lines(values + next + (width * sizeof(uint)), KvHead.PairBytes);
                KvHead.Load(values, width, pair, column, out T a, out T b);
                KvHead.Load(values, width, pair + 1, column, out T c, out T d);
                row = Quad<T>.AddScaled(weights, a, b, c, d, row);
            }
        }

        int rest = (task.Tokens + query) % 4;
        if (rest > 0)
        {
            nint pair = (task.Tokens + query) % Block / 4 * 2;
            KvHead.Load(values, width, pair, column, out T a, out T b);
            KvHead.Load(values, width, pair + 1, column, out T c, out _);
            row = Quad<T>.AddScaled(weights, rest, a, b, c, row);
        }

        T.Store(Quad<T>.Sum(row) * T.Broadcast(scale), task.Output + (query * width) + column);
    }
}

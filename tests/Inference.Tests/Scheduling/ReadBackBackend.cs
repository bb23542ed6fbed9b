namespace Serving.Inference.Tests.Scheduling;

/// <summary>
/// A model whose "K/V" is the token and, as in a deep model, a trace of all tokens before it: its logits are a pure function
/// of the sequence, read back through the block table that it was given. A block that was mixed up, freed too early or
/// never computed changes the output or does not fit the one before it.
/// </summary>
internal sealed class ReadBackBackend(int vocabulary, int context, int blocks, int blockTokens) : IBackend
{
    private readonly (int Token, ulong Trace)[] _slots = new (int, ulong)[blocks * blockTokens];

    public ModelShape Shape => new(vocabulary, context) { HiddenWidth = 2 };

    public KvCapacity Kv => new(blocks, blockTokens);

    /// <summary>Called before each pass; may throw.</summary>
    public Action<ForwardBatch>? BeforeForward { get; set; }

    /// <summary>May spoil a sequence's row.</summary>
    public Func<IReadOnlyList<int>, bool>? IsBroken { get; set; }

    /// <summary>The most rows, and tokens, that any pass had.</summary>
    public (int Rows, int Tokens) Largest { get; private set; }

    public void Forward(ForwardBatch batch, Span<float> logits)
    {
        BeforeForward?.Invoke(batch);
        Assert.Equal(batch.LogitRows * vocabulary, logits.Length);
        Largest = (Math.Max(Largest.Rows, batch.LogitRows), Math.Max(Largest.Tokens, batch.Tokens.Length));
        foreach (ForwardBatch.Chunk chunk in batch.Chunks)
            for (int i = 0; i < chunk.Length; i++) Write(chunk, chunk.Position + i, batch.Tokens[chunk.Start + i]);
        foreach (ForwardBatch.Chunk chunk in batch.Chunks) SumHidden(chunk);
        foreach (ForwardBatch.Chunk chunk in batch.Chunks)
        {
            int end = chunk.Position + chunk.Length;
            for (int length = end - chunk.LogitRows + 1; length <= end; length++)
            {
                int[] tokens = Read(chunk, length);
                Logits(tokens, logits[..vocabulary]);
                if (IsBroken?.Invoke(tokens) == true) logits[vocabulary / 2] = float.NaN;
                logits = logits[vocabulary..];
            }
        }
    }

    public void Dispose()
    {
    }

    /// <summary>The logits after some tokens: hashes, from -4 to 4, with ties.</summary>
    public static void Logits(ReadOnlySpan<int> tokens, Span<float> logits)
    {
        ulong trace = 0;
        foreach (int token in tokens) trace = Trace(trace, token);
        for (int id = 0; id < logits.Length; id++)
        {
            ulong mixed = (trace ^ ((ulong)id * 0x9E3779B97F4A7C15)) * 0xD6E8FEB86659FD93;
            logits[id] = ((mixed >> 40) % 512 / 64f) - 4;
        }
    }

    private void Write(in ForwardBatch.Chunk chunk, int position, int token)
    {
        ulong before = position == 0 ? 0 : _slots[Slot(chunk, position - 1)].Trace;
        _slots[Slot(chunk, position)] = (token, Trace(before, token));
    }

    /// <summary>A position's hidden state: its token, and its token times its place.</summary>
    private void SumHidden(in ForwardBatch.Chunk chunk)
    {
        if (chunk.HiddenSum is not { } sum) return;
        if (chunk.Position == 0) Array.Clear(sum);
        int[] tokens = Read(chunk, chunk.Position + chunk.Length);
        for (int position = chunk.Position; position < tokens.Length; position++)
        {
            sum[0] += tokens[position];
            sum[1] += tokens[position] * position;
        }
    }

    private int[] Read(in ForwardBatch.Chunk chunk, int length)
    {
        int[] tokens = new int[length];
        ulong trace = 0;
        for (int position = 0; position < length; position++)
        {
            (tokens[position], ulong stored) = _slots[Slot(chunk, position)];
            trace = Trace(trace, tokens[position]);
            Assert.Equal(trace, stored);
        }
        return tokens;
    }

    private int Slot(in ForwardBatch.Chunk chunk, int position) =>
        (chunk.Blocks[position / blockTokens] * blockTokens) + (position % blockTokens);

    private static ulong Trace(ulong before, int token) =>
        (ulong.RotateLeft(before, 5) ^ (ulong)(token + 1)) * 0x9E3779B97F4A7C15;
}

namespace Serving.Inference.Tests.Scheduling;

/// <summary>
/// A model whose "K/V" is the token itself: its logits are a pure function of all tokens of the sequence, read back through
/// the block table that it was given. Any block that was mixed up, freed too early or never computed changes the output.
/// </summary>
internal sealed class ReadBackBackend(int vocabulary, int context, int blocks, int blockTokens) : IBackend
{
    private readonly int[] _slots = CreateSlots(blocks * blockTokens);

    public ModelShape Shape => new(vocabulary, context);

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
            for (int i = 0; i < chunk.Length; i++) _slots[Slot(chunk, chunk.Position + i)] = batch.Tokens[chunk.Start + i];
        foreach (ForwardBatch.Chunk chunk in batch.Chunks)
        {
            int end = chunk.Position + chunk.Length;
            for (int length = end - chunk.LogitRows + 1; length <= end; length++)
            {
                int[] tokens = [.. Enumerable.Range(0, length).Select(position => _slots[Slot(chunk, position)])];
                Assert.DoesNotContain(-1, tokens);
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
        ulong hash = 0xCBF29CE484222325;
        foreach (int token in tokens) hash = (hash ^ (uint)(token + 1)) * 0x100000001B3;
        for (int id = 0; id < logits.Length; id++)
        {
            ulong mixed = (hash ^ ((ulong)id * 0x9E3779B97F4A7C15)) * 0xD6E8FEB86659FD93;
            logits[id] = ((mixed >> 40) % 512 / 64f) - 4;
        }
    }

    private int Slot(in ForwardBatch.Chunk chunk, int position) =>
        (chunk.Blocks[position / blockTokens] * blockTokens) + (position % blockTokens);

    private static int[] CreateSlots(int count)
    {
        int[] slots = new int[count];
        Array.Fill(slots, -1);
        return slots;
    }
}

namespace Serving.Inference.Cpu.Kernels;

/// <summary>One head of some neighbouring queries of a sequence, and where its keys and values are.</summary>
internal unsafe struct AttentionTask
{
    /// <summary>The first query, [<see cref="HeadSize"/>], turned and scaled.</summary>
    public float* Query;

    /// <summary>Floats from a query to the next.</summary>
    public nint QueryStride;

    /// <summary>1, or <see cref="KernelSet.TileRows"/> that share every pass over keys and values.</summary>
    public int Queries;

    /// <summary>How many tokens the first query sees, itself included; each next one sees one more.</summary>
    public int Tokens;

    /// <summary>Keys of block 0 and this head; see <see cref="KvHead"/>.</summary>
    public byte* Keys;

    /// <summary>Values of block 0 and this head.</summary>
    public byte* Values;

    /// <summary>Bytes from one block's keys (or values) to the next block's.</summary>
    public nint BlockBytes;

    /// <summary>Bytes from this head's keys (or values) to the next head's, which will soon be needed, too.</summary>
    public nint HeadBytes;

    /// <summary>Values a head; even.</summary>
    public int HeadSize;

    /// <summary>The head size, rounded up to 16.</summary>
    public int HeadStride;

    /// <summary>Scratch: [queries, <see cref="ScoreStride"/>].</summary>
    public float* Scores;

    /// <summary>At least the tokens of the last query, rounded up to 16.</summary>
    public nint ScoreStride;

    /// <summary>The results: [queries, <see cref="HeadStride"/>].</summary>
    public float* Output;
}

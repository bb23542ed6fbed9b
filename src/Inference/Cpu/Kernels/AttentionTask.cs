namespace Serving.Inference.Cpu.Kernels;

/// <summary>One query of one head, and where its keys and values are.</summary>
internal unsafe struct AttentionTask
{
    /// <summary>[<see cref="HeadSize"/>], turned and scaled.</summary>
    public float* Query;

    /// <summary>Keys of block 0 and this head: [head size, 16 tokens].</summary>
    public float* Keys;

    /// <summary>Values of block 0 and this head: [16 tokens, <see cref="ValueStride"/>].</summary>
    public float* Values;

    /// <summary>Floats from one block's keys (or values) to the next block's.</summary>
    public nint BlockStride;

    /// <summary>Floats from one token's values to the next's: the head size, rounded up to 16.</summary>
    public int ValueStride;

    /// <summary>Values a head.</summary>
    public int HeadSize;

    /// <summary>How many tokens the query sees, itself included.</summary>
    public int Tokens;

    /// <summary>Scratch: [tokens], rounded up to 16.</summary>
    public float* Scores;

    /// <summary>The result: [<see cref="ValueStride"/>].</summary>
    public float* Output;
}

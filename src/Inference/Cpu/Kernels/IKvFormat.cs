namespace Serving.Inference.Cpu.Kernels;

/// <summary>How a block of 16 tokens holds the keys, or the values, of one head: in rows of 16 lanes, two by two. A row of keys is
/// one element of 16 tokens; rows of values are <c>width</c> elements of one token, 16 at a time.</summary>
internal unsafe interface IKvFormat
{
    /// <summary>Bytes of a value.</summary>
    static abstract int Bytes { get; }

    /// <summary>Sixteen values of an even row and of the odd row after it.</summary>
    /// <param name="rows">The block.</param>
    /// <param name="width">Values a row.</param>
    /// <param name="pair">Rows 2 <paramref name="pair"/> and 2 <paramref name="pair"/> + 1.</param>
    /// <param name="column">The first of the sixteen.</param>
    /// <param name="even">Of the even row.</param>
    /// <param name="odd">Of the odd row.</param>
    static abstract void Load<T>(byte* rows, nint width, nint pair, nint column, out T even, out T odd)
        where T : unmanaged, ILanes<T>;

    /// <summary>Stores a row, rounded to the format.</summary>
    /// <param name="rows">The block.</param>
    /// <param name="width">Values a row, a multiple of 16.</param>
    /// <param name="row">Which.</param>
    /// <param name="values">[<paramref name="width"/>].</param>
    static abstract void StoreRow<T>(byte* rows, nint width, nint row, float* values)
        where T : unmanaged, ILanes<T>;

    /// <summary>Stores one column of sixteen, rounded to the format.</summary>
    /// <param name="rows">The block, whose rows have 16 values.</param>
    /// <param name="column">Which.</param>
    /// <param name="values">[<paramref name="count"/>]; changed to what was stored.</param>
    /// <param name="count">Rows, a multiple of 16.</param>
    static abstract void StoreColumn<T>(byte* rows, nint column, float* values, int count)
        where T : unmanaged, ILanes<T>;
}

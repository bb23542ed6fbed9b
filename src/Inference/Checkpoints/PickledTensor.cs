namespace Serving.Inference.Checkpoints;

/// <summary>A tensor as a pickle describes it: a view of a storage. Offset, dimensions and strides count elements and are not
/// negative; whether they lie inside the storage is for the reader of the archive to check.</summary>
/// <param name="Storage">What it is a view of.</param>
/// <param name="Offset">Its first element.</param>
/// <param name="Shape">Up to eight dimensions, slowest first.</param>
/// <param name="Strides">One a dimension.</param>
internal sealed record PickledTensor(PickledStorage Storage, long Offset, long[] Shape, long[] Strides)
{
    /// <summary>Whether the elements lie one after the other, the last dimension fastest.</summary>
    public bool IsContiguous()
    {
        UInt128 expected = 1;
        for (int i = Shape.Length - 1; i >= 0; i--)
        {
            if (Shape[i] != 1 && (UInt128)Strides[i] != expected)
                return Shape.Contains(0);
            if (expected <= long.MaxValue)
                expected *= (UInt128)Shape[i];
        }

        return true;
    }

    /// <summary>How many elements its storage must have at least.</summary>
    /// <exception cref="OverflowException">More than a file can have.</exception>
    public long RequiredElements()
    {
        (long elements, long last) = (1, Offset);
        for (int i = 0; i < Shape.Length; i++)
        {
            elements = checked(elements * Shape[i]);
            last = checked(last + (Math.Max(0, Shape[i] - 1) * Strides[i]));
        }

        return elements == 0 ? Offset : checked(last + 1);
    }
}

using System.Runtime.InteropServices;

namespace Serving.Inference.Checkpoints;

/// <summary>Elements that lie a stride apart in each dimension, brought into a row.</summary>
internal static class StridedElements
{
    /// <summary>The most bytes that are gathered, and the most that they may be spread over: what an array can hold.</summary>
    public const long MaxBytes = int.MaxValue - (1 << 20);

    /// <summary>Gathers a tensor.</summary>
    /// <param name="size">Bytes an element.</param>
    /// <param name="shape">Dimensions, slowest first.</param>
    /// <param name="strides">Elements from one index to the next, in each dimension; not negative.</param>
    /// <param name="read">Fills a span with the bytes from the first element on.</param>
    /// <returns>The elements, the last dimension fastest.</returns>
    public static byte[] Gather(int size, long[] shape, long[] strides, SpanAction read)
    {
        long elements = shape.Aggregate(1L, (product, dimension) => checked(product * dimension));
        if (elements == 0)
            return [];
        long last = shape.Zip(strides).Sum(pair => checked((pair.First - 1) * pair.Second));
        var source = new byte[checked((last + 1) * size)];
        read(source);
        var target = new byte[checked(elements * size)];
        if (size == sizeof(ushort))
            Copy<ushort>(source, target, shape, strides);
        else if (size == sizeof(uint))
            Copy<uint>(source, target, shape, strides);
        else if (size == sizeof(ulong))
            Copy<ulong>(source, target, shape, strides);
        else
            Copy<byte>(source, target, shape, strides);
        return target;
    }

    private static void Copy<T>(byte[] source, byte[] target, long[] shape, long[] strides)
        where T : unmanaged
    {
        ReadOnlySpan<T> from = MemoryMarshal.Cast<byte, T>(source.AsSpan());
        Span<T> to = MemoryMarshal.Cast<byte, T>(target.AsSpan());
        if (shape.Length == 0)
        {
            to[0] = from[0];
            return;
        }

        Span<long> index = stackalloc long[shape.Length];
        index.Clear();
        (int row, int stride) = ((int)shape[^1], (int)strides[^1]);
        int start = 0;
        for (; to.Length > 0; to = to[row..])
        {
            for (int i = 0; i < row; i++)
                to[i] = from[start + (i * stride)];

            // The next row: count up the other dimensions like the digits of a number.
            for (int dimension = shape.Length - 2; dimension >= 0; dimension--)
            {
                start += (int)strides[dimension];
                if (++index[dimension] < shape[dimension])
                    break;
                start -= (int)(strides[dimension] * shape[dimension]);
                index[dimension] = 0;
            }
        }
    }

    /// <summary>Fills a span.</summary>
    public delegate void SpanAction(Span<byte> bytes);
}

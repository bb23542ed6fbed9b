using Serving.Glyphs.Embeddings;

namespace Serving.Inference.Checkpoints;

/// <summary>The affine map over GF(2) from a token's digits to its code, as a checkpoint without a table stores it: zeros and ones
/// of any type.</summary>
/// <param name="Matrix">[digits, digits].</param>
/// <param name="Offset">[digits]; null = zeros.</param>
public sealed record TokenCodeTensors(Tensor Matrix, Tensor? Offset)
{
    /// <summary>Reads the map.</summary>
    /// <exception cref="CheckpointException">A tensor is of another shape, or not of zeros and ones.</exception>
    internal TokenCode ToCode()
    {
        if (Matrix.Shape is not [>= 1 and <= TokenCode.MaxDigits and var digits, var columns] || columns != digits)
            throw Bad(Matrix, $"[digits, digits], at most {TokenCode.MaxDigits}", $"[{string.Join(", ", Matrix.Shape)}]");
        if (Offset is not null && (Offset.Shape is not [var length] || length != digits))
            throw Bad(Offset, $"[{digits}]", $"[{string.Join(", ", Offset.Shape)}]");
        return TokenCode.OfMap(BitsOf(Matrix), Offset is null ? [] : BitsOf(Offset));
    }

    // Zero is all zero bytes in every type, and one is the same bytes in all elements.
    private static bool[] BitsOf(Tensor tensor)
    {
        int size = tensor.DType.Bits() / 8;
        byte[] one = OneOf(tensor), bytes = new byte[tensor.Bytes];
        tensor.Read(0, bytes);
        var bits = new bool[tensor.Elements];
        for (int i = 0; i < bits.Length; i++)
        {
            ReadOnlySpan<byte> element = bytes.AsSpan(i * size, size);
            bits[i] = element.SequenceEqual(one);
            if (!bits[i] && element.ContainsAnyExcept((byte)0))
                throw Bad(tensor, "zeros and ones", $"another value at {i}");
        }

        return bits;
    }

    private static byte[] OneOf(Tensor tensor) => tensor.DType switch
    {
        DType.BOOL or DType.U8 or DType.I8 => [1],
        DType.I16 or DType.U16 => [1, 0],
        DType.I32 or DType.U32 => [1, 0, 0, 0],
        DType.I64 or DType.U64 => [1, 0, 0, 0, 0, 0, 0, 0],
        DType.F32 => BitConverter.GetBytes(1f),
        DType.F64 => BitConverter.GetBytes(1d),
        DType.F16 => BitConverter.GetBytes((Half)1),
        DType.BF16 => [0x80, 0x3F],
        _ => throw Bad(tensor, "whole numbers, F32, BF16 or F16", $"{tensor.DType}"),
    };

    private static CheckpointException Bad(Tensor tensor, string expected, string found) =>
        new(tensor.Path, $"tensor '{tensor.Name}'", expected, found);
}

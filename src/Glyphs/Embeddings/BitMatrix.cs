using System.Numerics;

namespace Serving.Glyphs.Embeddings;

/// <summary>Rows of bits, eight a byte, the first in a byte's most significant bit.</summary>
public sealed class BitMatrix
{
    private readonly byte[] _bytes;

    /// <summary>All bits zero.</summary>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Bits a row, a multiple of 8.</param>
    public BitMatrix(int rows, int columns)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(columns % 8, 0);
        Rows = rows;
        Columns = columns;
        _bytes = new byte[checked((long)rows * columns / 8)];
    }

    /// <summary>Rows.</summary>
    public int Rows { get; }

    /// <summary>Bits a row.</summary>
    public int Columns { get; }

    /// <summary>[Rows, Columns / 8].</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>A row's bytes, [Columns / 8].</summary>
    public Span<byte> Row(int row) => _bytes.AsSpan(row * (Columns / 8), Columns / 8);

    /// <summary>One bit.</summary>
    public bool this[int row, int column] => (Row(row)[column >> 3] & (0x80 >> (column & 7))) != 0;

    /// <summary>The columns of a row's ones, ascending, written to <paramref name="columns"/>; returns how many.</summary>
    public int OnesOf(int row, Span<int> columns)
    {
        int count = 0;
        ReadOnlySpan<byte> bytes = Row(row);
        for (int i = 0; i < bytes.Length; i++)
        {
            for (uint rest = (uint)bytes[i] << 24; rest != 0; rest &= ~(0x8000_0000u >> BitOperations.LeadingZeroCount(rest)))
                columns[count++] = 8 * i + BitOperations.LeadingZeroCount(rest);
        }

        return count;
    }

    /// <summary>
    /// The columns as bit sets over the rows, [Columns][(Rows + 63) / 64]: the form in which counting the rows where two
    /// columns are both one is a population count.
    /// </summary>
    internal ulong[][] Transposed()
    {
        int words = (Rows + 63) / 64;
        var columns = new ulong[Columns][];
        for (int c = 0; c < Columns; c++) columns[c] = new ulong[words];
        Parallel.For(0, words, () => new int[Columns], (word, _, ones) =>
        {
            for (int r = 64 * word; r < Math.Min(64 * (word + 1), Rows); r++)
                foreach (int column in ones.AsSpan(0, OnesOf(r, ones))) columns[column][word] |= 1UL << (r & 63);
            return ones;
        }, _ => { });
        return columns;
    }
}

using System.Numerics;

namespace Serving.Glyphs.Embeddings;

/// <summary>
/// Input vectors of zeros and ones that are computed from the token's id, without a table: c = A·x + b over GF(2), where x are the
/// binary digits of the id, the most significant first. Without A and b, the digits themselves. Immutable.
/// </summary>
public sealed class TokenCode
{
    /// <summary>The most digits of a code.</summary>
    public const int MaxDigits = 24;

    // Digit i of the code is the parity of the id's bits in _masks[i], the other way round where _offset[i] is set.
    private readonly uint[] _masks;
    private readonly bool[] _offset;

    private TokenCode(uint[] masks, bool[] offset) => (_masks, _offset) = (masks, offset);

    /// <summary>How many digits a code has.</summary>
    public int Digits => _masks.Length;

    /// <summary>Whether no two ids have one code.</summary>
    public bool IsInvertible
    {
        get
        {
            // Elimination: a row whose bits others make up together vanishes.
            uint[] rows = [.. _masks];
            for (int i = 0; i < rows.Length; i++)
            {
                if (rows[i] == 0) return false;
                uint lowest = rows[i] & (~rows[i] + 1);
                for (int j = i + 1; j < rows.Length; j++)
                    if ((rows[j] & lowest) != 0) rows[j] ^= rows[i];
            }

            return true;
        }
    }

    /// <summary>The id's digits as they are.</summary>
    /// <param name="digits">1 to <see cref="MaxDigits"/>.</param>
    public static TokenCode OfDigits(int digits)
    {
        CheckDigits(digits);
        return new([.. Enumerable.Range(0, digits).Select(i => 1u << (digits - 1 - i))], new bool[digits]);
    }

    /// <summary>The digits through an affine map.</summary>
    /// <param name="matrix">A, [digits, digits] row-major: row i makes digit i of the code, column j reads digit j of the id.</param>
    /// <param name="offset">b, [digits]; empty = zeros.</param>
    public static TokenCode OfMap(ReadOnlySpan<bool> matrix, ReadOnlySpan<bool> offset)
    {
        int digits = (int)Math.Sqrt(matrix.Length);
        CheckDigits(digits);
        ArgumentOutOfRangeException.ThrowIfNotEqual(matrix.Length, digits * digits);
        if (!offset.IsEmpty) ArgumentOutOfRangeException.ThrowIfNotEqual(offset.Length, digits);
        var masks = new uint[digits];
        for (int i = 0; i < matrix.Length; i++)
            if (matrix[i]) masks[i / digits] |= 1u << (digits - 1 - (i % digits));
        return new TokenCode(masks, offset.IsEmpty ? new bool[digits] : offset.ToArray());
    }

    /// <summary>The codes of the first <paramref name="rows"/> ids.</summary>
    public FrozenTable ToTable(int rows)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, 1 << Digits);
        var values = new float[rows * Digits];
        for (int id = 0; id < rows; id++)
        {
            for (int i = 0; i < Digits; i++)
                values[(id * Digits) + i] = ((BitOperations.PopCount(_masks[i] & (uint)id) & 1) == 1) ^ _offset[i] ? 1 : 0;
        }

        return new FrozenTable(rows, Digits, values);
    }

    private static void CheckDigits(int digits)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(digits, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(digits, MaxDigits);
    }
}

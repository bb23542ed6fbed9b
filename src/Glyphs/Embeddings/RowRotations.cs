using System.Buffers;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Serving.Glyphs.Embeddings;

/// <summary>Rotations of neighbouring rows, collected and then carried out one after the other: on a few columns at a time, which stay
/// in a processor's cache, so that a large matrix comes from memory once for many sweeps.</summary>
internal sealed class RowRotations(double[][] rows)
{
    private const int PanelColumns = 2 * VectorMath.Lanes;

    /// <summary>Six megabytes.</summary>
    private const int Most = 1 << 18;

    private readonly record struct Rotation(int Row, double Cosine, double Sine);

    private readonly Rotation[] _rotations = new Rotation[Math.Min(Most, (long)rows.Length * rows.Length)];
    private int _count;

    /// <summary>(x, y) := (c x - s y, s x + c y) with x a row and y the one below.</summary>
    public void Add(int row, double cosine, double sine)
    {
        if (_count == _rotations.Length) Apply();
        _rotations[_count++] = new Rotation(row, cosine, sine);
    }

    /// <summary>Carries out what has been added.</summary>
    public void Apply()
    {
        if (_count == 0) return;
        int first = int.MaxValue, last = 0;
        foreach (Rotation rotation in _rotations.AsSpan(0, _count))
            (first, last) = (Math.Min(first, rotation.Row), Math.Max(last, rotation.Row + 1));
        Parallel.For(0, (rows[0].Length + PanelColumns - 1) / PanelColumns, () => ArrayPool<double>.Shared.Rent((last - first + 1) * PanelColumns), (panel, _, buffer) =>
        {
            int start = panel * PanelColumns, width = Math.Min(PanelColumns, rows[0].Length - start);
            for (int row = first; row <= last; row++)
                rows[row].AsSpan(start, width).CopyTo(buffer.AsSpan((row - first) * PanelColumns));
            Rotate(buffer, first);
            for (int row = first; row <= last; row++)
                buffer.AsSpan((row - first) * PanelColumns, width).CopyTo(rows[row].AsSpan(start));
            return buffer;
        }, panel => ArrayPool<double>.Shared.Return(panel));
        _count = 0;
    }

    // Sweeps go upwards row by row: the upper row of one rotation is the lower row of the next, and stays in registers.
    private void Rotate(double[] panel, int first)
    {
        ref double place = ref MemoryMarshal.GetArrayDataReference(panel);
        int held = _rotations[0].Row + 1 - first;
        (Vector512<double> left, Vector512<double> right) = Load(ref place, held);
        foreach (Rotation rotation in _rotations.AsSpan(0, _count))
        {
            int row = rotation.Row - first;
            if (held != row + 1)
            {
                Store(ref place, held, left, right);
                (left, right) = Load(ref place, row + 1);
            }

            (Vector512<double> upperLeft, Vector512<double> upperRight) = Load(ref place, row);
            Vector512<double> cosine = Vector512.Create(rotation.Cosine), sine = Vector512.Create(rotation.Sine);
            Store(ref place, row + 1, upperLeft * sine + left * cosine, upperRight * sine + right * cosine);
            (left, right, held) = (upperLeft * cosine - left * sine, upperRight * cosine - right * sine, row);
        }

        Store(ref place, held, left, right);
    }

    private static (Vector512<double> Left, Vector512<double> Right) Load(ref double panel, int row) =>
        (Vector512.LoadUnsafe(ref panel, (nuint)(row * PanelColumns)), Vector512.LoadUnsafe(ref panel, (nuint)((row * PanelColumns) + VectorMath.Lanes)));

    private static void Store(ref double panel, int row, Vector512<double> left, Vector512<double> right)
    {
        left.StoreUnsafe(ref panel, (nuint)(row * PanelColumns));
        right.StoreUnsafe(ref panel, (nuint)((row * PanelColumns) + VectorMath.Lanes));
    }
}
